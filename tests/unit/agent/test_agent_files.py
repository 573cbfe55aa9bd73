"""What the agent keeps on disk, and what it reads from the node."""

from pathlib import Path

import pytest

from agent.core.task_machine import first_record
from agent.daemon import parse_arguments
from agent.drivers import node_routes
from agent.drivers.config_files import ConfigFiles
from agent.drivers.disk import AgentFolder, write_whole
from stackctl.errors import PermanentFailure
from stackctl.model import specs
from stackctl.model.assignment import ConfigAssignment
from tests.assignments import assignment, task


def test_assignment_and_records_come_back_as_written(tmp_path: Path) -> None:
    folder = AgentFolder(tmp_path / "agent")
    assert folder.read_assignment() is None
    assert folder.read_records() == ()
    kept = assignment(7, task("t1"))
    folder.write_assignment(kept)
    records = (first_record(kept.tasks[0], now=5),)
    folder.write_records(records)
    folder.write_managers(("10.0.0.1:2477",))
    again = AgentFolder(tmp_path / "agent")
    assert again.read_assignment() == kept
    assert again.read_records() == records
    assert again.read_managers() == ("10.0.0.1:2477",)
    for path in (tmp_path / "agent").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_unreadable_file_is_ignored_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = AgentFolder(tmp_path)
    (tmp_path / "assignment.bin").write_bytes(b"\xc1 nonsense")
    assert folder.read_assignment() is None
    assert "assignment.bin is unreadable and ignored" in caplog.text


def test_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(TypeError):
        write_whole(path, "text")  # type: ignore[arg-type]  # the failure that is wanted
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_each_reference_to_a_config_has_its_own_owner_and_mode(tmp_path: Path) -> None:
    files = ConfigFiles(tmp_path / "configs")
    config = ConfigAssignment(id="c1", name="motd", content=b"hello")
    references = (
        specs.ConfigReference(name="motd", target="/a"),
        specs.ConfigReference(name="motd", target="/b", mode=0o600),
    )
    sources = files.write("t1", references, {"motd": config})
    assert Path(sources["/a"]).stat().st_mode & 0o777 == 0o444
    assert Path(sources["/b"]).stat().st_mode & 0o777 == 0o600
    assert files.write("t1", references, {"motd": config}) == sources
    files.claim(["c1"])
    files.remove_unclaimed()
    assert Path(sources["/a"]).exists()
    files.claim([])
    files.remove_unclaimed()
    assert not Path(sources["/a"]).exists()


def test_an_older_assignment_does_not_remove_what_a_newer_one_claimed(tmp_path: Path) -> None:
    """A container was created with a file that the network thread, still busy with the assignment
    before, then took away: its start failed with "bind source path does not exist".
    """
    files = ConfigFiles(tmp_path / "configs")
    config = ConfigAssignment(id="c2", name="motd", content=b"hello")
    files.claim(["c2"])
    sources = files.write(
        "t1", (specs.ConfigReference(name="motd", target="/a"),), {"motd": config}
    )
    files.remove_unclaimed()
    assert Path(sources["/a"]).read_bytes() == b"hello"


def test_owner_of_a_config_is_a_number(tmp_path: Path) -> None:
    reference = specs.ConfigReference(name="motd", target="/a", uid="www")
    config = ConfigAssignment(id="c1", name="motd", content=b"")
    with pytest.raises(PermanentFailure, match="owner www:0 is not a pair of numbers"):
        ConfigFiles(tmp_path).write("t1", (reference,), {"motd": config})


def test_routes_leave_out_the_default_and_the_overlays_own(tmp_path: Path) -> None:
    table = tmp_path / "route"
    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    rows = (
        "eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "sc-abc\t0003000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "eth1\t0009000A\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    table.write_text(head + rows, encoding="ascii")
    assert node_routes.read_routes(table, without_prefixes=("sc-",)) == (
        "10.0.2.0/24",
        "172.17.0.0/16",
    )
    assert node_routes.read_routes(tmp_path / "absent") == ()


def test_command_line_becomes_settings(tmp_path: Path) -> None:
    settings = parse_arguments(
        [
            "--state-dir",
            str(tmp_path),
            "--hostname",
            "host1",
            "--data-address",
            "10.0.0.7",
            "--engine",
            "unix:///run/docker.sock",
            "--join",
            "10.0.0.1:2477",
            "--join",
            "10.0.0.2:2477",
        ]
    )
    assert settings.join_addresses == ("10.0.0.1:2477", "10.0.0.2:2477")
    assert settings.identity_dir == tmp_path / "identity"
    assert settings.vxlan_port == 4789


def test_engine_elsewhere_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--data-address", "10.0.0.7", "--engine", "ssh://host"])
    assert ended.value.code == 2
    assert "only unix:///path is supported" in capsys.readouterr().err
