"""Real engines for tests: thrown away with everything they hold, and alone in their namespaces.

Fixtures (in `tests/conftest.py` for all tests): `engine` is one engine, `three_engines` are three
whose nodes hear each other; both are started once per run and have busybox's images
(`tests/images.py`). Tests remove the containers and networks that they make.

The labs' names contain the number of the test run's process, so that runs beside each other do
not meet, and a run can remove what a killed one has left behind.
"""

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stackctl.lab import faults, image_loading, links, operations, removal
from stackctl.lab import plan as planning
from stackctl.lab.plan import LabPlan, NodePlan
from tests.images import busybox_image_tar


class EngineForTests(msgspec.Struct, frozen=True):
    """One engine: its socket on this machine, and the network namespace in which it lives."""

    socket: Path
    namespace: str  # as in `ip netns`; the file is /run/netns/<namespace>
    address: str  # of the node, reachable from this machine
    node: NodePlan

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def command(self, *words: str) -> list[str]:
        """The argument list that runs `words` on the engine's node (network, mounts, host name)."""
        return faults.exec_command(self.node, list(words))


@contextlib.contextmanager
def running_engines(
    count: int, *, prefix: str = "t", disk_megabytes: int = 0
) -> Iterator[tuple[EngineForTests, ...]]:
    """A lab of `count` engines without anything of stackctl's own, with busybox loaded.

    One run may hold several at once when their prefixes (one letter) differ. `disk_megabytes` is
    the size of a disk of their own, that can be filled; 0 is as much as the machine has.
    """
    name = f"{prefix}{os.getpid():x}"
    with (
        tempfile.TemporaryDirectory(prefix="stackctl-t-") as folder,
        _disk(Path(folder), disk_megabytes),
    ):
        directory = Path(folder) / "lab"
        try:
            plan = operations.up(
                name,
                directory,
                operations.Wishes(node_count=count, with_engines_only=True),
                _say_nothing,
            )
            image_loading.load(plan, [str(busybox_image_tar())], _say_nothing)
            yield _engines_of(plan)
        finally:
            removal.down(name, directory, _say_nothing)


@pytest.fixture(scope="session")
def engine() -> Iterator[EngineForTests]:
    """One engine for the whole run."""
    _remove_labs_of_dead_runs()
    with running_engines(1) as (only,):
        yield only


@pytest.fixture(scope="session")
def three_engines() -> Iterator[tuple[EngineForTests, ...]]:
    """Three engines on nodes that hear each other, for the whole run."""
    _remove_labs_of_dead_runs()
    with running_engines(3, prefix="m") as engines:
        yield engines


@contextlib.contextmanager
def _disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A disk of this size at the folder, in memory; none of 0."""
    if not megabytes:
        yield
        return
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _engines_of(plan: LabPlan) -> tuple[EngineForTests, ...]:
    return tuple(
        EngineForTests(
            socket=node.engine_socket,
            namespace=node.namespace,
            address=node.address,
            node=node,
        )
        for node in plan.nodes
    )


def _remove_labs_of_dead_runs() -> None:
    for bridge in links.links_like(planning.ANY_BRIDGE_PATTERN):
        found = re.fullmatch(r"sctl-([a-z]([0-9a-f]+))0", bridge)
        owner = links.bridge_owner(bridge) or ""
        directory = owner.removeprefix("stackctl lab in ")
        if found is None or "/stackctl-t-" not in directory:
            continue
        if not Path(f"/proc/{int(found[2], 16)}").exists():
            removal.down(found[1], Path(directory), _say_nothing)


def _say_nothing(_line: str) -> None:
    pass
