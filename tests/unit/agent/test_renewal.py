"""The node's certificate is replaced in time, by a manager and for the same node."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agent import renewal
from stackctl.errors import ClusterUnavailable
from stackctl.manager import certificates
from stackctl.manager.certificates import NODE_VALIDITY
from tests.fakes.manager import FakeManager, write_identity


def serial(folder: Path) -> int:
    return x509.load_pem_x509_certificate((folder / "node.pem").read_bytes()).serial_number


def test_renewal_is_due_when_a_third_of_the_time_is_left(tmp_path: Path) -> None:
    write_identity(tmp_path, certificates.create_cluster_authority(), node_id="n1")
    certificate = (tmp_path / "node.pem").read_bytes()
    now = datetime.now(UTC)
    assert not renewal.is_due(certificate, now=now + NODE_VALIDITY * 0.6)
    assert renewal.is_due(certificate, now=now + NODE_VALIDITY * 0.7)
    assert renewal.is_due(certificate, now=now + timedelta(days=1000))


async def test_certificate_is_replaced_and_the_key_stays(tmp_path: Path) -> None:
    authority = certificates.create_cluster_authority()
    folder = tmp_path / "identity"
    write_identity(folder, authority, node_id="n1")
    key, before = (folder / "node.key").read_bytes(), serial(folder)
    async with FakeManager(authority, tmp_path) as manager:
        managers = ["127.0.0.1:1", manager.address]
        await asyncio.to_thread(renewal.renew, folder, managers)
    assert serial(folder) != before
    assert (folder / "node.key").read_bytes() == key


async def test_certificate_of_another_node_is_not_taken(tmp_path: Path) -> None:
    authority = certificates.create_cluster_authority()
    folder = tmp_path / "identity"
    write_identity(folder, authority, node_id="n1")
    before = serial(folder)
    async with FakeManager(authority, tmp_path) as manager:
        manager.renews_as = "n2"
        with pytest.raises(ClusterUnavailable, match="is for somebody else"):
            await asyncio.to_thread(renewal.renew, folder, [manager.address])
    assert serial(folder) == before


async def test_worker_that_poses_as_a_manager_is_not_asked(tmp_path: Path) -> None:
    authority = certificates.create_cluster_authority()
    folder = tmp_path / "identity"
    write_identity(folder, authority, node_id="n1")
    impostor = FakeManager(authority, tmp_path)
    impostor.role = "worker"
    async with impostor:
        with pytest.raises(ClusterUnavailable, match="is not a manager"):
            await asyncio.to_thread(renewal.renew, folder, [impostor.address])


def test_fresh_certificate_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_identity(tmp_path, certificates.create_cluster_authority(), node_id="n1")
    before = serial(tmp_path)
    assert renewal.main([str(tmp_path), "127.0.0.1:1"]) == 0
    assert serial(tmp_path) == before
    assert capsys.readouterr().out == ""
