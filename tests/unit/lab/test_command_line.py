"""`stackctl lab` as people type it, as far as no lab is needed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from stackctl.cli import lab
from stackctl.errors import InputError, UnfitMachine, UnknownName
from stackctl.lab import record
from stackctl.lab.record import LabRecord
from tests.unit.lab.plans import make_plan

VERBS = (
    *("up", "down", "status", "exec", "pause", "resume", "cut", "heal"),
    *("kill", "start", "stop", "restart-engine", "load"),
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STACKCTL_LAB_DIR", str(tmp_path))
    monkeypatch.delenv("STACKCTL_LAB_NAME", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def test_help_names_every_verb_with_a_sentence() -> None:
    printed = CliRunner().invoke(lab.app, ["--help"]).output
    for verb in VERBS:
        assert f" {verb} " in printed


@pytest.mark.parametrize("arguments", [["status"], ["pause", "worker1"], ["load", "a:1"]])
def test_without_a_lab_the_way_to_one_is_said(directory: Path, arguments: list[str]) -> None:
    error = CliRunner().invoke(lab.app, arguments).exception
    assert isinstance(error, InputError)
    assert error.message == f"there is no lab in {directory}"
    assert error.hint == "stackctl lab up"


def test_a_mistyped_node_is_answered_with_the_nearest(directory: Path) -> None:
    record.write_lab(LabRecord(make_plan(directory=str(directory))))
    error = CliRunner().invoke(lab.app, ["cut", "worker11"]).exception
    assert isinstance(error, UnknownName)
    assert error.hint is not None
    assert "worker1" in error.hint


@pytest.mark.parametrize("arguments", [["down"], ["cut", "worker1"], ["load", "a:1"]])
def test_whoever_is_not_root_is_told_to_use_sudo(
    directory: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    error = CliRunner().invoke(lab.app, arguments).exception
    assert isinstance(error, UnfitMachine)
    assert error.hint == "run the same command with sudo"
    assert list(directory.iterdir()) == []
