"""Which managers are asked: flags before environment before the file before the default."""

import json
from pathlib import Path

import pytest

from stackctl.client import contexts
from stackctl.client.contexts import Choice
from stackctl.errors import InputError, UnknownName

LAB = {"endpoint": "unix:///lab/1.sock", "endpoints": ["unix:///lab/1.sock", "unix:///lab/2.sock"]}
REAL = {"endpoints": ["https://10.0.0.1:2477"], "identity": "/etc/stackctl/me"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    document = {"current": "lab", "contexts": {"lab": LAB, "real": REAL}, "theme": "dark"}
    (tmp_path / "contexts.json").write_text(json.dumps(document))
    return {"STACKCTL_CONFIG_DIR": str(tmp_path)}


def chosen(choice: Choice, environment: dict[str, str]) -> list[str]:
    return [str(each) for each in contexts.choose_target(choice, environment).endpoints]


def test_a_flag_wins_over_everything(environment: dict[str, str]) -> None:
    environment |= {"STACKCTL_ENDPOINT": "/env.sock", "STACKCTL_CONTEXT": "real"}
    choice = Choice(endpoints=("/a.sock", "/b.sock"), context="real")
    assert chosen(choice, environment) == ["unix:///a.sock", "unix:///b.sock"]


def test_the_environment_names_endpoints_with_commas(environment: dict[str, str]) -> None:
    environment |= {"STACKCTL_ENDPOINT": "/a.sock, n1:7", "STACKCTL_CONTEXT": "real"}
    assert chosen(Choice(), environment) == ["unix:///a.sock", "https://n1:7"]


def test_a_context_flag_wins_over_the_context_in_the_environment(
    environment: dict[str, str],
) -> None:
    environment |= {"STACKCTL_CONTEXT": "lab"}
    target = contexts.choose_target(Choice(context="real"), environment)
    assert [str(each) for each in target.endpoints] == REAL["endpoints"]
    assert target.identity == Path("/etc/stackctl/me")
    assert target.source == "--context real"


def test_the_current_context_is_next(environment: dict[str, str]) -> None:
    assert chosen(Choice(), environment) == LAB["endpoints"]


def test_without_any_word_it_is_the_manager_of_this_node(tmp_path: Path) -> None:
    target = contexts.choose_target(Choice(), {"HOME": str(tmp_path)})
    assert [str(each) for each in target.endpoints] == ["unix:///run/stackctl/manager.sock"]
    assert target.source == "default"


def test_an_unknown_context_offers_near_names(environment: dict[str, str]) -> None:
    with pytest.raises(UnknownName) as caught:
        chosen(Choice(context="labb"), environment)
    assert caught.value.hint == "did you mean lab?"


def test_the_file_follows_the_desktop_convention() -> None:
    shared = contexts.contexts_path({"XDG_CONFIG_HOME": "/x", "HOME": "/h"})
    assert shared == Path("/x/stackctl/contexts.json")
    assert contexts.contexts_path({"HOME": "/h"}) == Path("/h/.config/stackctl/contexts.json")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"contexts": {"a": {}}}', '{"contexts": {"a": {"endpoints": "x"}}}']
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "contexts.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"contexts\.json"):
        contexts.read_contexts(path)


def test_using_a_context_keeps_all_else_in_the_file(environment: dict[str, str]) -> None:
    path = contexts.contexts_path(environment)
    contexts.use_context(contexts.read_contexts(path), "real")
    document = json.loads(path.read_text())
    assert document == {
        "current": "real",
        "contexts": {"lab": LAB, "real": REAL},
        "theme": "dark",
    }


def test_using_an_unknown_context_changes_nothing(environment: dict[str, str]) -> None:
    path = contexts.contexts_path(environment)
    before = path.read_text()
    with pytest.raises(UnknownName):
        contexts.use_context(contexts.read_contexts(path), "nobody")
    assert path.read_text() == before


def test_a_saved_context_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "contexts.json"
    saved = contexts.Context("home", ("unix:///h.sock",), "/me")
    contexts.save_context(contexts.read_contexts(path), saved)
    assert contexts.read_contexts(path).named("home") == saved
    assert path.stat().st_mode & 0o777 == 0o600
