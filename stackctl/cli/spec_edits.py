"""What each flag of `service update` does to a service's spec: functions from a spec to a spec.

Values are read with the grammars of Compose files, so that 50M, 1m30s and 0.5 mean the same here.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from stackctl.cli.update_flags import ADD, FLAGS, REMOVE
from stackctl.compose.grammar.quantities import parse_bytes, parse_cpus, parse_duration
from stackctl.compose.grammar.shell_words import split_words
from stackctl.errors import InputError
from stackctl.model import specs
from stackctl.model.specs import ServiceSpec

T = TypeVar("T", bound=msgspec.Struct)
Values = tuple[str, ...]
Edit = Callable[[ServiceSpec, Values], ServiceSpec]
_CONTAINER = "task.container"


def edit_spec(spec: ServiceSpec, edits: Mapping[str, Values]) -> ServiceSpec:
    """The spec with all flags applied, in the order of the table. Raises InputError."""
    for flag in FLAGS:
        values = edits.get(flag.name)
        if values is None:
            continue
        try:
            spec = EDITS[flag.name](spec, values)
        except (ValueError, msgspec.ValidationError) as error:
            raise InputError(
                f"--{flag.name}: {error}", hint=f"write --{flag.name} {flag.metavar}"
            ) from error
    return spec


def get(value: Any, path: str) -> Any:
    """The field at a dotted path; None below a value that is None."""
    for name in path.split("."):
        value = getattr(value, name) if value is not None else None
    return value


def put(value: T, path: str, new: Any) -> T:
    """A copy of a struct with another value at a dotted path."""
    name, _, rest = path.partition(".")
    inner = put(getattr(value, name), rest, new) if rest else new
    return replace(value, **{name: inner})


def _field(path: str, read: Callable[[str], Any]) -> Edit:
    return lambda spec, values: put(spec, path, read(values[-1]))


def _health(path: str, read: Callable[[str], Any]) -> Edit:
    def edit(spec: ServiceSpec, values: Values) -> ServiceSpec:
        held = spec.task.container.healthcheck or specs.Healthcheck()
        return put(spec, f"{_CONTAINER}.healthcheck", replace(held, **{path: read(values[-1])}))

    return edit


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is not a number from 0 on")
    return int(text)


def _ratio(text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1
    if not 0 <= ratio <= 1:
        raise ValueError(f"{text!r} is not a number from 0 to 1")
    return ratio


def _choice(kind: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"{text!r} is not {' or '.join(kind)}") from None

    return read


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} is not true or false")
    return text == "true"


def _delay(text: str) -> float | None:
    return None if text == "auto" else parse_duration(text)


def _named(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise ValueError(f"{text!r} has no = between name and value")
    return name, value


def _labels(path: str) -> tuple[Edit, Edit]:
    def add(spec: ServiceSpec, values: Values) -> ServiceSpec:
        pairs = ((text.partition("=")[0], text.partition("=")[2]) for text in values)
        return put(spec, path, dict(sorted({**get(spec, path), **dict(pairs)}.items())))

    def remove(spec: ServiceSpec, values: Values) -> ServiceSpec:
        held = get(spec, path)
        gone = _known(held, values)
        return put(spec, path, {key: held[key] for key in held if key not in gone})

    return add, remove


def _texts(path: str, read: Callable[[str], str] = str) -> tuple[Edit, Edit]:
    """A list of texts that each stand for themselves, in the order in which they were added."""

    def add(spec: ServiceSpec, values: Values) -> ServiceSpec:
        return put(spec, path, tuple(dict.fromkeys((*get(spec, path), *map(read, values)))))

    def remove(spec: ServiceSpec, values: Values) -> ServiceSpec:
        held = get(spec, path)
        gone = _known(held, tuple(map(read, values)))
        return put(spec, path, tuple(text for text in held if text not in gone))

    return add, remove


def _objects(path: str, read: Callable[[str], Any], key: Callable[[Any], str]) -> tuple[Edit, Edit]:
    """A list of structs, each known by a key; adding one with a known key replaces it."""

    def add(spec: ServiceSpec, values: Values) -> ServiceSpec:
        held = {key(item): item for item in get(spec, path)}
        held.update((key(item), item) for item in map(read, values))
        return put(spec, path, tuple(held[name] for name in sorted(held)))

    def remove(spec: ServiceSpec, values: Values) -> ServiceSpec:
        held = {key(item): item for item in get(spec, path)}
        gone = _known(held, values)
        return put(spec, path, tuple(held[name] for name in sorted(held) if name not in gone))

    return add, remove


def _known(held: Any, values: Values) -> Values:
    for value in values:
        if value not in held:
            raise ValueError(f"the service has no {value!r}")
    return values


def _environment(spec: ServiceSpec, values: Values) -> ServiceSpec:
    held = dict(text.partition("=")[::2] for text in spec.task.container.environment)
    held.update(map(_named, values))
    return put(spec, f"{_CONTAINER}.environment", tuple(f"{k}={held[k]}" for k in sorted(held)))


def _without_environment(spec: ServiceSpec, values: Values) -> ServiceSpec:
    held = dict(text.partition("=")[::2] for text in spec.task.container.environment)
    gone = _known(held, values)
    kept = tuple(f"{key}={held[key]}" for key in sorted(held) if key not in gone)
    return put(spec, f"{_CONTAINER}.environment", kept)


def _port(text: str) -> specs.PortSpec:
    if "=" in text:
        return _port_of_fields(dict(map(_named, text.split(","))))
    ports, _, protocol = text.partition("/")
    published, colon, target = ports.rpartition(":")
    return specs.PortSpec(
        target=_count(target),
        published=_count(published) if colon else 0,
        protocol=protocol.lower() or "tcp",
    )


def _port_of_fields(fields: dict[str, str]) -> specs.PortSpec:
    port = specs.PortSpec(
        target=_count(fields.pop("target", "")),
        published=_count(fields.pop("published", "0")),
        protocol=fields.pop("protocol", "tcp").lower(),
        mode=_choice(specs.PortMode)(fields.pop("mode", "ingress")),
    )
    _refuse_rest(fields)
    return port


def _port_key(port: specs.PortSpec) -> str:
    return str(port.target) if port.protocol == "tcp" else f"{port.target}/{port.protocol}"


def _mount(text: str) -> specs.Mount:
    fields = dict(
        word.partition("=")[::2] if "=" in word else (word, "true") for word in text.split(",")
    )
    source = fields.pop("source", fields.pop("src", ""))
    target = fields.pop("target", fields.pop("destination", fields.pop("dst", "")))
    if not target.startswith("/"):
        raise ValueError(f"the target of {text!r} is no absolute path")
    mount = specs.Mount(
        kind=_choice(specs.MountKind)(fields.pop("type", "volume")),
        source=source,
        target=target,
        read_only=_boolean(fields.pop("readonly", fields.pop("ro", "false"))),
    )
    _refuse_rest(fields)
    return mount


def _refuse_rest(fields: dict[str, str]) -> None:
    if fields:
        raise ValueError(f"unknown field {next(iter(fields))!r}")


def _file(folder: str) -> Callable[[str], specs.ConfigReference]:
    def read(text: str) -> specs.ConfigReference:
        name, _, target = text.partition(":")
        return specs.ConfigReference(name=name, target=target or f"{folder}{name}")

    return read


def _spread(text: str) -> str:
    strategy, _, key = text.partition("=")
    if strategy != "spread" or not key:
        raise ValueError(f"{text!r} is no spread preference")
    return key


def _ulimit(text: str) -> specs.Ulimit:
    name, limits = _named(text)
    soft, _, hard = limits.partition(":")
    return specs.Ulimit(name=name, soft=int(soft), hard=int(hard or soft))


def _words(path: str) -> Edit:
    return lambda spec, values: put(spec, path, split_words(values[-1]) or None)


def _generic(spec: ServiceSpec, values: Values) -> ServiceSpec:
    path = "task.reservations.generic"
    counts = {kind: _count(number) for kind, number in map(_named, values)}
    return put(spec, path, dict(sorted({**get(spec, path), **counts}.items())))


def _capability(name: str) -> str:
    name = name.upper()
    return name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"


def _give_capability(spec: ServiceSpec, values: Values) -> ServiceSpec:
    names = tuple(map(_capability, values))
    kept = (name for name in spec.task.container.cap_drop if name not in names)
    spec = put(spec, f"{_CONTAINER}.cap_drop", tuple(kept))
    added = sorted({*spec.task.container.cap_add, *names})
    return put(spec, f"{_CONTAINER}.cap_add", tuple(added))


def _take_capability(spec: ServiceSpec, values: Values) -> ServiceSpec:
    names = tuple(map(_capability, values))
    kept = (name for name in spec.task.container.cap_add if name not in names)
    spec = put(spec, f"{_CONTAINER}.cap_add", tuple(kept))
    dropped = sorted({*spec.task.container.cap_drop, *names})
    return put(spec, f"{_CONTAINER}.cap_drop", tuple(dropped))


def _log_driver(spec: ServiceSpec, values: Values) -> ServiceSpec:
    return put(spec, f"{_CONTAINER}.log_driver", specs.LogDriver(name=values[-1]))


def _log_options(spec: ServiceSpec, values: Values) -> ServiceSpec:
    held = spec.task.container.log_driver or specs.LogDriver()
    options = dict(map(_named, values))
    return put(spec, f"{_CONTAINER}.log_driver", replace(held, options=options))


def _replicas(spec: ServiceSpec, values: Values) -> ServiceSpec:
    if spec.mode.is_global:
        raise ValueError(f"service {spec.name} is {spec.mode.value}: it has one task on each node")
    return put(spec, "replicas", _count(values[-1]))


def _no_healthcheck(spec: ServiceSpec, values: Values) -> ServiceSpec:
    check = specs.Healthcheck(test=("NONE",)) if _boolean(values[-1]) else None
    return put(spec, f"{_CONTAINER}.healthcheck", check)


def _policy(word: str) -> dict[str, Edit]:
    return {
        f"{word}-parallelism": _field(f"{word}.parallelism", _count),
        f"{word}-delay": _field(f"{word}.delay_seconds", parse_duration),
        f"{word}-monitor": _field(f"{word}.monitor_seconds", parse_duration),
        f"{word}-failure-action": _field(f"{word}.failure_action", _choice(specs.FailureAction)),
        f"{word}-max-failure-ratio": _field(f"{word}.max_failure_ratio", _ratio),
        f"{word}-order": _field(f"{word}.order", _choice(specs.UpdateOrder)),
    }


def _both(name: str, edits: tuple[Edit, Edit]) -> dict[str, Edit]:
    return {f"{name}{ADD}": edits[0], f"{name}{REMOVE}": edits[1]}


EDITS: Mapping[str, Edit] = {
    "image": _field(f"{_CONTAINER}.image", str),
    "args": _words(f"{_CONTAINER}.command"),
    "entrypoint": _words(f"{_CONTAINER}.entrypoint"),
    "replicas": _replicas,
    "max-concurrent": _field("max_concurrent", _count),
    **_both("env", (_environment, _without_environment)),
    **_both("label", _labels("labels")),
    **_both("container-label", _labels(f"{_CONTAINER}.labels")),
    **_both("constraint", _texts("task.placement.constraints")),
    **_both("placement-pref", _texts("task.placement.spread", _spread)),
    "replicas-max-per-node": _field("task.placement.replicas_per_node_max", _count),
    **_both("publish", _objects("ports", _port, _port_key)),
    **_both(
        "network",
        _objects(
            "task.networks",
            lambda text: specs.NetworkAttachment(network=text),
            lambda attachment: str(attachment.network),
        ),
    ),
    **_both("mount", _objects(f"{_CONTAINER}.mounts", _mount, lambda mount: str(mount.target))),
    **_both("config", _objects(f"{_CONTAINER}.configs", _file("/"), lambda use: str(use.name))),
    **_both(
        "secret",
        _objects(f"{_CONTAINER}.secrets", _file("/run/secrets/"), lambda use: str(use.name)),
    ),
    **_both("host", _texts(f"{_CONTAINER}.extra_hosts")),
    **_both("dns", _texts(f"{_CONTAINER}.dns")),
    **_both("dns-search", _texts(f"{_CONTAINER}.dns_search")),
    **_both("dns-option", _texts(f"{_CONTAINER}.dns_options")),
    **_both("group", _texts(f"{_CONTAINER}.groups")),
    **_both("ulimit", _objects(f"{_CONTAINER}.ulimits", _ulimit, lambda limit: str(limit.name))),
    **_both("sysctl", _labels(f"{_CONTAINER}.sysctls")),
    **_both("generic-resource", (_generic, _labels("task.reservations.generic")[1])),
    "cap-add": _give_capability,
    "cap-drop": _take_capability,
    "limit-cpu": _field("task.limits.nano_cpus", parse_cpus),
    "limit-memory": _field("task.limits.memory_bytes", parse_bytes),
    "limit-pids": _field("task.limits.pids", _count),
    "reserve-cpu": _field("task.reservations.nano_cpus", parse_cpus),
    "reserve-memory": _field("task.reservations.memory_bytes", parse_bytes),
    "restart-condition": _field("task.restart.condition", _choice(specs.RestartCondition)),
    "restart-delay": _field("task.restart.delay_seconds", _delay),
    "restart-max-attempts": _field("task.restart.attempts_max", _count),
    "restart-window": _field("task.restart.window_seconds", parse_duration),
    **_policy("update"),
    **_policy("rollback"),
    "health-cmd": _health("test", lambda text: ("CMD-SHELL", text)),
    "health-interval": _health("interval_seconds", parse_duration),
    "health-timeout": _health("timeout_seconds", parse_duration),
    "health-retries": _health("retries", _count),
    "health-start-period": _health("start_period_seconds", parse_duration),
    "user": _field(f"{_CONTAINER}.user", str),
    "workdir": _field(f"{_CONTAINER}.working_dir", str),
    "hostname": _field(f"{_CONTAINER}.hostname", str),
    "stop-grace-period": _field(f"{_CONTAINER}.stop_grace_period_seconds", parse_duration),
    "stop-signal": _field(f"{_CONTAINER}.stop_signal", str),
    "log-driver": _log_driver,
    "log-opt": _log_options,
    "endpoint-mode": _field("endpoint_mode", _choice(specs.EndpointMode)),
    "init": _field(f"{_CONTAINER}.init", _boolean),
    "read-only": _field(f"{_CONTAINER}.read_only", _boolean),
    "tty": _field(f"{_CONTAINER}.tty", _boolean),
    "no-healthcheck": _no_healthcheck,
}
