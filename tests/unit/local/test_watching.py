"""What changed in watched folders, and what follows from it."""

from pathlib import Path

from stackctl.compose.document import Deploy, Service
from stackctl.compose.parts.build import Build
from stackctl.compose.parts.lifecycle import Hook, WatchAction, WatchRule
from stackctl.compose.problems import Place, Position
from stackctl.local.watching import (
    Changes,
    CopiedPath,
    Reaction,
    WatchedPath,
    compare,
    everything,
    reaction,
)
from stackctl.model import specs

PLACE = Place(Position("compose.yaml", 1, 1), ())


def rule(path: Path | str, action: str = "sync", **more: object) -> WatchRule:
    return WatchRule(PLACE, str(path), WatchAction(action), target="/app", **more)  # type: ignore[arg-type]  # keywords of the struct


def service(context: Path) -> Service:
    return Service(
        key="web",
        place=PLACE,
        container=specs.ContainerSpec(image=""),
        deploy=Deploy(),
        restart=specs.RestartPolicy(),
        build=Build(PLACE, str(context)),
    )


def names(folder: Path, watched: WatchRule) -> list[str]:
    return sorted(WatchedPath(service(folder), watched).look())


def test_what_is_ignored_anywhere_is_not_watched(tmp_path: Path) -> None:
    for name in ("src/a.py", "src/a.py~", "src/b.tmp", "src/.git/x", "src/gone.log", "src/.a.swp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".dockerignore").write_text("**/*.log\n")
    assert names(tmp_path, rule(tmp_path / "src", ignore=("*.tmp",))) == ["a.py"]
    assert names(tmp_path, rule(tmp_path / "src", include=("*.tmp",))) == ["b.tmp"]
    assert names(tmp_path, rule(tmp_path / "src" / "a.py")) == [""]
    assert names(tmp_path, rule(tmp_path / "nothing")) == []


def test_a_look_later_shows_what_was_written_and_removed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    watched = WatchedPath(service(tmp_path), rule(tmp_path))
    before = watched.look()
    (tmp_path / "a").write_text("22")
    (tmp_path / "b").unlink()
    (tmp_path / "c").mkdir()
    assert compare(before, watched.look()) == Changes(("a", "c"), ("b",))
    assert not compare(before, before)
    assert everything(before).written == ("a", "b")


def test_rules_of_one_service_add_up() -> None:
    hook = Hook(PLACE, ("reload",))
    found = reaction(
        [
            (rule("/src"), Changes(("a",), ("b/c",))),
            (rule("/one", "sync+restart"), Changes(("",), ())),
            (rule("/hooked", "sync+exec", execute=hook), Changes(("h",), ())),
            (rule("/other", "restart"), Changes((), ())),
        ]
    )
    assert found == Reaction(
        copied=(
            CopiedPath(Path("/src/a"), "/app/a"),
            CopiedPath(Path("/one"), "/app"),
            CopiedPath(Path("/hooked/h"), "/app/h"),
        ),
        removed=("/app/b/c",),
        restarts=True,
        hooks=(hook,),
    )


def test_rebuilding_makes_all_else_needless() -> None:
    changes = Changes(("a",), ())
    found = reaction([(rule("/src"), changes), (rule("/src", "rebuild"), changes)])
    assert found == Reaction(rebuilds=True)
    assert not reaction([(rule("/src", "rebuild"), Changes((), ()))])
