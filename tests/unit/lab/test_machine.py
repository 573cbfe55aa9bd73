"""What an unfit machine is told."""

from stackctl.lab import machine
from stackctl.lab.machine import Findings


def test_a_machine_that_lacks_nothing_is_not_refused() -> None:
    assert machine.explain(Findings()) is None


def test_missing_programs_are_named_with_the_packages_that_bring_them() -> None:
    refusal = machine.explain(Findings(programs=("dockerd", "containerd", "nft")))
    assert refusal is not None
    assert refusal.exit_code == 5
    assert "dockerd, containerd, nft not installed" in refusal.message
    assert refusal.hint == "apt-get install docker.io nftables"


def test_everything_that_is_missing_is_said_at_once() -> None:
    refusal = machine.explain(
        Findings(is_root=False, programs=("ip",), kernel_features=("vxlan links", "overlayfs"))
    )
    assert refusal is not None
    assert "ip not installed; the kernel offers no vxlan links, overlayfs" in refusal.message
    assert "only root" in refusal.message
    assert refusal.hint is not None
    assert "sudo" in refusal.hint
