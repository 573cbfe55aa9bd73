"""The lab's entry among the contexts: added, current, and taken back without a trace."""

import json
from pathlib import Path

import pytest

from stackctl.lab import contexts_file
from stackctl.lab.tools import LabFailure

ENDPOINTS = ("unix:///lab/manager1/run/manager.sock", "unix:///lab/manager2/run/manager.sock")
SHOP = {"current": "shop", "contexts": {"shop": {"endpoints": ["shop.example:2477"]}}}


def test_the_lab_becomes_current_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "stackctl" / "contexts.json"
    assert contexts_file.enter(path, "lab", ENDPOINTS) is None
    document = json.loads(path.read_text())
    assert document["current"] == "lab"
    assert document["contexts"]["lab"]["endpoints"] == list(ENDPOINTS)
    contexts_file.leave(path, "lab", previous=None)
    assert not path.exists()


def test_what_was_current_before_is_so_again(tmp_path: Path) -> None:
    path = tmp_path / "contexts.json"
    path.write_text(json.dumps(SHOP))
    previous = contexts_file.enter(path, "lab", ENDPOINTS)
    assert previous == "shop"
    assert contexts_file.enter(path, "lab", ENDPOINTS) is None
    contexts_file.leave(path, "lab", previous=previous)
    assert json.loads(path.read_text()) == SHOP


def test_another_current_context_stays_when_the_lab_goes(tmp_path: Path) -> None:
    path = tmp_path / "contexts.json"
    path.write_text(json.dumps(SHOP))
    contexts_file.enter(path, "lab", ENDPOINTS)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "current": "shop"}))
    contexts_file.leave(path, "lab", previous=None)
    assert json.loads(path.read_text()) == SHOP


def test_a_context_that_is_gone_is_not_made_current(tmp_path: Path) -> None:
    path = tmp_path / "contexts.json"
    path.write_text(json.dumps(SHOP))
    contexts_file.enter(path, "lab", ENDPOINTS)
    contexts_file.leave(path, "lab", previous="forgotten")
    assert json.loads(path.read_text()) == {"contexts": SHOP["contexts"]}


@pytest.mark.parametrize("text", ["not json", "[]", '{"contexts": []}'])
def test_a_file_that_holds_something_else_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "contexts.json"
    path.write_text(text)
    with pytest.raises(LabFailure, match=r"contexts\.json"):
        contexts_file.enter(path, "lab", ENDPOINTS)
    assert path.read_text() == text


def test_the_folder_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STACKCTL_CONFIG_DIR", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert str(contexts_file.contexts_file()) == "/home/somebody/.config/stackctl/contexts.json"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
    assert str(contexts_file.contexts_file()) == "/xdg/stackctl/contexts.json"
    monkeypatch.setenv("STACKCTL_CONFIG_DIR", "/own")
    assert str(contexts_file.contexts_file()) == "/own/contexts.json"
