"""How a manager becomes one: identity, first entries, and what it refuses to start with."""

from pathlib import Path

import pytest

from stackctl.errors import InputError
from stackctl.manager import cluster_tokens, daemon, founding, identity, join_tokens
from stackctl.manager.certificate_renewal import CertificateRenewal
from stackctl.manager.identity import IdentityDirectory, IdentityUnusable
from stackctl.manager.node_identity import NodeIdentity, read_identity, write_identity
from stackctl.manager.settings import Settings
from stackctl.model import objects
from stackctl.model.objects import NodeRole
from tests.manager_parts import running_edges


def settings(folder: Path, *, bootstrap: bool = False) -> Settings:
    return Settings(
        state_dir=folder,
        run_dir=folder / "run",
        hostname="m1",
        advertise_address="192.0.2.1",
        listen_address="192.0.2.1",
        bootstrap=bootstrap,
    )


def test_founding_makes_an_identity_that_tls_accepts(tmp_path: Path) -> None:
    own = founding.create_identity(settings(tmp_path))
    assert read_identity(tmp_path / "identity") == own
    assert own.managers == ("192.0.2.1:2477",)
    files = IdentityDirectory(tmp_path / "identity").tls_files()
    identity.server_ssl_context(files)
    assert (tmp_path / "identity" / "ca.key").stat().st_mode & 0o777 == 0o600


def test_a_node_without_an_identity_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        daemon.obtain_identity(settings(tmp_path))
    assert "--bootstrap" in str(refused.value.hint)


def test_bootstrap_on_a_node_with_an_identity_changes_nothing(tmp_path: Path) -> None:
    own = founding.create_identity(settings(tmp_path))
    assert daemon.obtain_identity(settings(tmp_path, bootstrap=True)) == own


def test_a_worker_is_no_manager(tmp_path: Path) -> None:
    (tmp_path / "identity").mkdir()
    worker = NodeIdentity(node_id="n", cluster_id="c", role="worker")
    write_identity(tmp_path / "identity", worker)
    with pytest.raises(InputError, match="is a worker"):
        daemon.obtain_identity(settings(tmp_path))


def test_a_damaged_identity_is_named(tmp_path: Path) -> None:
    (tmp_path / "identity.json").write_text("{")
    with pytest.raises(IdentityUnusable, match=r"identity\.json is damaged"):
        read_identity(tmp_path)


async def test_the_first_entries_are_written_once(tmp_path: Path) -> None:
    async with running_edges(tmp_path) as edges:
        state = edges.parts.cluster.state
        own = edges.parts.identity
        assert state.cluster is not None
        assert state.cluster.id == own.cluster_id
        assert state.nodes[own.node_id].role == NodeRole.MANAGER
        await founding.write_first_entries(
            edges.parts.cluster, identity=own, settings=edges.parts.settings, now=2
        )
        assert edges.parts.cluster.state.index == state.index


def test_tokens_are_the_same_on_every_manager_and_tell_the_role() -> None:
    cluster = objects.Cluster(
        id="c", worker_secret="01" * 16, manager_secret="02" * 16, authority_digest="03" * 32
    )
    tokens = cluster_tokens.tokens_of(cluster)
    assert tokens == cluster_tokens.tokens_of(cluster)
    for presented, role in ((tokens.worker, "worker"), (tokens.manager, "manager")):
        found = join_tokens.role_of_token(
            presented, worker_token=tokens.worker, manager_token=tokens.manager
        )
        assert found == role


class FixedClock:
    """A clock that stands."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now


def test_a_certificate_is_renewed_in_its_last_third(tmp_path: Path) -> None:
    own = founding.create_identity(settings(tmp_path))
    directory = IdentityDirectory(tmp_path / "identity")
    start = directory.certificate_path.stat().st_mtime
    context = identity.server_ssl_context(directory.tls_files())
    before = directory.certificate_path.read_bytes()

    def renewal(days: float) -> CertificateRenewal:
        return CertificateRenewal(
            directory,
            identity=own,
            contexts=(context,),
            clock=FixedClock(start + days * 86400),
        )

    assert not renewal(59).renew_if_due()
    assert directory.certificate_path.read_bytes() == before
    assert renewal(61).renew_if_due()
    assert directory.certificate_path.read_bytes() != before
