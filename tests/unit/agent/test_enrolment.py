"""Becoming a member: the token decides whom to trust, and the files say who this node is."""

import asyncio
from pathlib import Path

import pytest

from agent import enrolment
from agent.drivers import identity_files
from agent.drivers.mutual_tls import TlsFiles, client_context
from agent.settings import Settings
from stackctl.errors import ClusterUnavailable, Denied, InputError
from stackctl.manager import certificates
from tests.fakes.manager import CLUSTER_ID, FakeManager, write_identity


def settings(folder: Path, token: str, *addresses: str) -> Settings:
    return Settings(
        state_dir=folder / "node",
        hostname="host1",
        data_address="127.0.0.1",
        join_token=token,
        join_addresses=addresses,
    )


async def test_node_joins_and_can_show_its_certificate(tmp_path: Path) -> None:
    async with FakeManager(certificates.create_cluster_authority(), tmp_path) as manager:
        wanted = settings(tmp_path, manager.token(), "127.0.0.1:1", manager.address)
        await asyncio.to_thread(enrolment.enrol, wanted)
        assert [join.hostname for join in manager.joins] == ["host1"]
        identity = identity_files.read_identity(wanted.identity_dir)
        assert identity is not None
        assert (identity.node_id, identity.cluster_id) == ("joined", CLUSTER_ID)
        assert identity.managers == (manager.address,)
        folder = wanted.identity_dir
        client_context(
            TlsFiles(
                authority=folder / "ca.pem",
                certificate=folder / "node.pem",
                key=folder / "node.key",
            )
        )
        assert (folder / "node.key").stat().st_mode & 0o777 == 0o600


async def test_token_is_not_told_to_another_cluster(tmp_path: Path) -> None:
    own = FakeManager(certificates.create_cluster_authority(), tmp_path, name="own")
    foreign = FakeManager(certificates.create_cluster_authority(), tmp_path, name="foreign")
    async with foreign:
        wanted = settings(tmp_path, own.token(), foreign.address)
        with pytest.raises(Denied, match="does not belong to the cluster of this join token"):
            await asyncio.to_thread(enrolment.enrol, wanted)
        assert foreign.joins == []
    assert not wanted.identity_dir.exists()


async def test_refused_token_is_told_in_the_clusters_words(tmp_path: Path) -> None:
    async with FakeManager(certificates.create_cluster_authority(), tmp_path) as manager:
        token = manager.token()
        manager.secret = b"x" * 16
        with pytest.raises(Denied, match="the join token is not valid"):
            await asyncio.to_thread(enrolment.enrol, settings(tmp_path, token, manager.address))


@pytest.mark.parametrize(
    ("token", "addresses"), [("nonsense", ("127.0.0.1:1",)), ("", ("127.0.0.1:1",))]
)
def test_text_that_is_no_token_is_refused(
    tmp_path: Path, token: str, addresses: tuple[str, ...]
) -> None:
    with pytest.raises(InputError):
        enrolment.enrol(settings(tmp_path, token, *addresses))


def test_agent_waits_for_the_files_of_the_manager_on_its_node(tmp_path: Path) -> None:
    with pytest.raises(ClusterUnavailable, match="belongs to no cluster"):
        identity_files.await_identity(tmp_path / "identity", timeout_seconds=0)
    authority = certificates.create_cluster_authority()
    write_identity(tmp_path / "identity", authority, node_id="n1", managers=("10.0.0.1:2477",))
    found = identity_files.await_identity(tmp_path / "identity", timeout_seconds=0)
    assert (found.node_id, found.managers) == ("n1", ("10.0.0.1:2477",))


def test_half_written_identity_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "identity"
    write_identity(folder, certificates.create_cluster_authority(), node_id="n1")
    (folder / "identity.json").write_text("{", encoding="utf-8")
    assert identity_files.read_identity(folder) is None
