"""Hooks, `develop` and `provider`: what happens around the container of a service."""

from collections.abc import Callable
from typing import TypeVar

from stackctl.compose.grammar.image_reference import image_complaint
from stackctl.compose.parts.lifecycle import (
    Develop,
    Hook,
    Provider,
    StartHook,
    WatchAction,
    WatchRule,
)
from stackctl.compose.problems import shown
from stackctl.compose.sections.commands import read_command
from stackctl.compose.sections.environment import read_environment
from stackctl.compose.sections.paths import absolute_path, container_path
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import (
    boolean,
    choice,
    filled_text,
    scalar_text,
    text,
    text_or_list,
)

H = TypeVar("H")

_SYNCING = (WatchAction.SYNC, WatchAction.SYNC_RESTART, WatchAction.SYNC_EXEC)


def read_hooks(value: Value) -> tuple[Hook, ...]:
    """`post_start` and `pre_stop`: commands in the running container, in order."""
    return _each(value, _hook)


def read_start_hooks(value: Value) -> tuple[StartHook, ...]:
    """`pre_start`: containers that run to their end before the service starts, in order."""
    return _each(value, _start_hook)


def read_develop(value: Value) -> Develop | None:
    """`develop`; null is none."""
    if value.is_null:
        return None
    fields = Fields(value, "a mapping with watch:")
    watch = fields.get("watch")
    fields.finish()
    return Develop(() if watch is None else _each(watch, _watch_rule, "a list of watch rules"))


def read_provider(value: Value) -> Provider:
    """`provider`: the program that implements the service, with its options."""
    fields = Fields(value, "a mapping with type:")
    kind = fields.get("type")
    options = fields.get("options")
    fields.finish()
    if kind is None and value.is_mapping():
        value.key_problem("no type is given", "add type: and the name of the provider")
    entries = {} if options is None or options.is_null else options.entries()
    return Provider(
        value.key_place,
        type="" if kind is None else filled_text(kind),
        options={name: _option_values(inner) for name, inner in entries.items()},
    )


def _each(
    value: Value, reader: Callable[[Value], H | None], what: str = "a list of hooks"
) -> tuple[H, ...]:
    found = (reader(item) for item in value.items(what))
    return tuple(item for item in found if item is not None)


def _hook(value: Value) -> Hook | None:
    if not value.is_mapping():
        value.expected("a mapping with command:")
        return None
    fields = Fields(value)
    command = fields.get("command")
    words = None if command is None else read_command(command)
    hook = Hook(
        value.place,
        words or (),
        user=fields.read("user", text, ""),
        privileged=fields.read("privileged", boolean, False),
        working_dir=fields.read("working_dir", text, ""),
        environment=_environment(fields),
    )
    fields.finish()
    if command is None:
        value.problem("no command is given", "add command:")
    elif not words and (command.is_null or command.is_list() or command.written == ""):
        command.problem("a hook needs a command")
    return hook


def _start_hook(value: Value) -> StartHook | None:
    if not value.is_mapping():
        value.expected("a mapping")
        return None
    fields = Fields(value)
    hook = StartHook(
        value.place,
        command=fields.read("command", read_command, None),
        image=fields.read("image", _image, ""),
        user=fields.read("user", text, ""),
        privileged=fields.read("privileged", boolean, False),
        working_dir=fields.read("working_dir", text, ""),
        environment=_environment(fields),
        per_replica=fields.read("per_replica", boolean, False),
    )
    fields.finish()
    return hook


def _environment(fields: Fields) -> tuple[str, ...]:
    found = fields.read("environment", read_environment, {})
    return tuple(sorted(f"{name}={content}" for name, content in found.items()))


def _image(value: Value) -> str:
    written = text(value)
    complaint = image_complaint(written) if isinstance(value.written, str) else None
    if complaint:
        value.problem(f"invalid image reference {shown(written)!r}: {complaint}")
    return written


def _watch_rule(value: Value) -> WatchRule | None:
    if not value.is_mapping():
        value.expected("a mapping with path: and action:")
        return None
    fields = Fields(value)
    path = fields.get("path")
    action = fields.get("action")
    target = fields.get("target")
    execute = fields.get("exec")
    rule = WatchRule(
        value.place,
        path="" if path is None else _local_path(path),
        action=WatchAction.REBUILD
        if action is None
        else choice(WatchAction, WatchAction.REBUILD)(action),
        target="" if target is None else container_path(target, filled_text(target)),
        ignore=fields.read("ignore", text_or_list, ()),
        include=fields.read("include", text_or_list, ()),
        execute=None if execute is None else _hook(execute),
        initial_sync=fields.read("initial_sync", boolean, False),
    )
    fields.finish()
    _check_rule(value, rule, path=path, action=action, execute=execute)
    return rule


def _check_rule(
    value: Value,
    rule: WatchRule,
    *,
    path: Value | None,
    action: Value | None,
    execute: Value | None,
) -> None:
    if path is None:
        value.problem("no path is given", "add path:")
    if action is None:
        value.problem("no action is given", "add action: rebuild, sync or restart")
        return
    if rule.action in _SYNCING and not rule.target:
        value.problem(f"action {rule.action.value} needs a target", "add target:")
    if rule.action is WatchAction.SYNC_EXEC and execute is None:
        value.problem("action sync+exec needs a command", "add exec: with command:")
    elif execute is not None and rule.action is not WatchAction.SYNC_EXEC:
        execute.key_problem(f"does not fit action {rule.action.value}", "use action: sync+exec")


def _local_path(value: Value) -> str:
    written = filled_text(value)
    if not written:
        return ""
    try:
        return absolute_path(written, value.reading)
    except ValueError as error:
        value.problem(str(error))
        return ""


def _option_values(value: Value) -> tuple[str, ...]:
    items = value.items() if value.is_list() else [value]
    return tuple(scalar_text(item) or "" for item in items)
