"""The engine's JSON turned into our values, at the border: its capital letters go no further.

Fields are read with defaults, because engines from 20.10 on differ in what they leave out.
"""

import signal
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.core import observed
from agent.core.observed import Container, ContainerState, ContainerSummary, Health
from agent.drivers.engine import EngineFacts, LogEntry

NANOSECONDS = 1_000_000_000
DEFAULT_SHELL = ("/bin/sh", "-c")

Json = Mapping[str, Any]


def container_from_inspect(body: Json) -> Container | None:
    """A container from the engine's inspection; None when no agent created it for a task."""
    config = body.get("Config") or {}
    labels = config.get("Labels") or {}
    name = str(body.get("Name", "")).lstrip("/")
    if not observed.is_task_container(name, labels):
        return None
    state = body.get("State") or {}
    check = config.get("Healthcheck") or {}
    command = health_command(check.get("Test") or (), config.get("Shell") or DEFAULT_SHELL)
    grace = config.get("StopTimeout")
    return Container(
        id=body["Id"],
        name=name,
        task_id=labels[observed.LABEL_TASK_ID],
        state=ContainerState(state.get("Status", "created")),
        pid=state.get("Pid") or 0,
        exit_code=state.get("ExitCode") or 0,
        oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        health=_health(state.get("Health") or {}) if command else Health.NONE,
        health_command=command,
        health_timeout_seconds=(check.get("Timeout") or 0) / NANOSECONDS,
        stop_signal=config.get("StopSignal") or "",
        stop_grace_seconds=observed.DEFAULT_GRACE_SECONDS if grace is None else float(grace),
        networks=tuple(sorted((body.get("NetworkSettings") or {}).get("Networks") or {})),
        tty=bool(config.get("Tty")),
    )


def summary_from_list(body: Json) -> ContainerSummary | None:
    """One line of the engine's list; None when no agent created that container for a task."""
    labels = body.get("Labels") or {}
    names = [str(name).lstrip("/") for name in body.get("Names") or ()]
    if not any(observed.is_task_container(name, labels) for name in names):
        return None
    status = str(body.get("Status", ""))
    health = Health.NONE
    for mark, verdict in (
        ("(healthy)", Health.HEALTHY),
        ("(unhealthy)", Health.UNHEALTHY),
        ("(health: starting)", Health.STARTING),
    ):
        if mark in status:
            health = verdict
    return ContainerSummary(
        id=body["Id"],
        task_id=labels[observed.LABEL_TASK_ID],
        state=ContainerState(body.get("State", "created")),
        health=health,
    )


def health_command(test: Any, shell: Any) -> tuple[str, ...]:
    """The command of a health check, ready to be executed; () when there is none."""
    words = [str(word) for word in test]
    if not words or words[0] == "NONE":
        return ()
    if words[0] == "CMD-SHELL":
        return (*(str(word) for word in shell), *words[1:2])
    return tuple(words[1:]) if words[0] == "CMD" else tuple(words)


def facts_from_info(body: Json, api_version: tuple[int, int]) -> EngineFacts:
    """What the engine says of its node."""
    labels = {}
    for label in body.get("Labels") or ():
        name, _, value = str(label).partition("=")
        labels[name] = value
    counts: dict[str, int] = {}
    names: dict[str, tuple[str, ...]] = {}
    for resource in body.get("GenericResources") or ():
        counted, named = resource.get("DiscreteResourceSpec"), resource.get("NamedResourceSpec")
        if counted:
            counts[counted["Kind"]] = counted["Value"]
        if named:
            names[named["Kind"]] = (*names.get(named["Kind"], ()), named["Value"])
    return EngineFacts(
        api_version=api_version,
        version=body.get("ServerVersion") or "",
        os=body.get("OSType") or "linux",
        arch=body.get("Architecture") or "",
        nano_cpus=(body.get("NCPU") or 0) * NANOSECONDS,
        memory_bytes=body.get("MemTotal") or 0,
        labels=labels,
        generic=counts,
        generic_named=names,
    )


def image_reference(image: str) -> tuple[str, str]:
    """Repository and tag (or digest) to ask a registry for.

    A missing tag becomes `latest`, because the engine's pull takes "no tag" for "all tags".
    """
    if "@" in image:
        repository, _, digest = image.partition("@")
        return repository, digest
    head, colon, tail = image.rpartition(":")
    if not colon or "/" in tail:  # the colon of a registry's port is no tag
        return image, "latest"
    return head, tail


def tagged_at(body: Json) -> float:
    """When the engine last gave an image its name, in epoch seconds; 0 is not known."""
    stamp = str((body.get("Metadata") or {}).get("LastTagTime") or "")
    # The engine's clock may have an offset to UTC; years before 1970 mean never.
    try:
        return max(0.0, datetime.fromisoformat(_whole_seconds(stamp)).timestamp())
    except (ValueError, OverflowError):
        return 0.0


def parse_version(text: str) -> tuple[int, int]:
    """`1.41` as numbers that compare. Raises ValueError."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def log_entry(source: str, line: bytes) -> LogEntry:
    """An entry from a line that begins with the engine's time stamp."""
    stamp, space, text = line.partition(b" ")
    at = _parse_stamp(stamp.decode("ascii", "replace")) if space else None
    if at is None:
        return LogEntry(at=0, source=source, text=line.rstrip(b"\r\n"))
    return LogEntry(at=at, source=source, text=text.rstrip(b"\r\n"))


def _whole_seconds(stamp: str) -> str:
    """A time without its fraction, whose nanoseconds are more digits than datetime takes."""
    head, dot, rest = stamp.partition(".")
    return head + rest.lstrip("0123456789") if dot else head


def _parse_stamp(stamp: str) -> float | None:
    # Nanoseconds are more digits than datetime takes; they are added by hand.
    head, _, fraction = stamp.rstrip("Z").partition(".")
    try:
        whole = datetime.fromisoformat(f"{head}+00:00").timestamp()
        return whole + (float(f"0.{fraction}") if fraction else 0.0)
    except ValueError:
        return None


def _health(body: Json) -> Health:
    status = body.get("Status", "")
    return Health(status) if status in set(Health) else Health.STARTING


def signal_number(name: str) -> int:
    """The number of a signal as files write it (`SIGHUP`, `hup`, `RTMIN+2`, `1`), as engines say it
    in events; 0 for an unknown one.
    """
    word = name.upper().removeprefix("SIG")
    if word.isdecimal():
        return int(word)
    base, _, steps = word.replace("-", "+-").partition("+")
    if base in ("RTMIN", "RTMAX"):
        return int(getattr(signal, f"SIG{base}")) + int(steps or 0)
    return int(getattr(signal, f"SIG{base}", 0))
