"""Containers of a stack as rows of a list, with the keys and columns of `docker compose ps`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stackctl.cli.render.tables import Columns
from stackctl.local import labels
from stackctl.local.observed import Container, Publisher

COLUMNS = Columns(
    headers={
        "Name": "NAME",
        "Image": "IMAGE",
        "Command": "COMMAND",
        "Service": "SERVICE",
        "RunningFor": "CREATED",
        "Status": "STATUS",
        "Ports": "PORTS",
        "ID": "CONTAINER ID",
        "Project": "PROJECT",
        "State": "STATE",
        "Health": "HEALTH",
        "ExitCode": "EXIT CODE",
        "Labels": "LABELS",
        "Networks": "NETWORKS",
        "Mounts": "MOUNTS",
        "Names": "NAMES",
        "CreatedAt": "CREATED AT",
    },
    shown=("Name", "Image", "Command", "Service", "RunningFor", "Status", "Ports"),
)
_COMMAND_LENGTH = 20


class StackSummary(NamedTuple):
    """A stack with the states of its containers, for `ls`."""

    name: str
    states: Mapping[str, int]
    config_files: tuple[str, ...]


STACK_COLUMNS = Columns(
    headers={"Name": "NAME", "Status": "STATUS", "ConfigFiles": "CONFIG FILES"},
    shown=("Name", "Status", "ConfigFiles"),
)


def container_row(container: Container, *, age: str, is_cut: bool) -> dict[str, str]:
    """One container as text; `age` is how long ago it was made."""
    command = container.command
    if is_cut and len(command) > _COMMAND_LENGTH:
        command = command[: _COMMAND_LENGTH - 1] + "…"
    return {
        "Name": container.name,
        "Names": container.name,
        "Image": container.image,
        "Command": f'"{command}"',
        "Service": container.service,
        "RunningFor": age,
        "Status": container.status or container.state.capitalize(),
        "Ports": ports_text(container.publishers),
        "ID": container.id[:12] if is_cut else container.id,
        "Project": container.labels.get(labels.STACK, ""),
        "State": container.state,
        "Health": container.health,
        "ExitCode": str(container.exit_code),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(container.labels.items())),
        "Networks": ",".join(name for name, _ in container.networks),
        "Mounts": ",".join(mount.name or mount.source for mount in container.mounts),
        "CreatedAt": str(container.created),
    }


def container_object(container: Container, *, age: str) -> dict[str, object]:
    """One container as JSON has it."""
    row = container_row(container, age=age, is_cut=False)
    return {
        **row,
        "Command": container.command,
        "Created": container.created,
        "ExitCode": container.exit_code,
        "Publishers": [
            {
                "URL": it.url,
                "TargetPort": it.target,
                "PublishedPort": it.published,
                "Protocol": it.protocol,
            }
            for it in container.publishers
        ],
    }


def ports_text(publishers: Sequence[Publisher]) -> str:
    """`0.0.0.0:8080->80/tcp, 443/tcp`; ports in a row are one range."""
    texts = []
    for group in _ranges(publishers):
        first, last = group[0], group[-1]
        target = _range(first.target, last.target)
        if first.published:
            host = f"[{first.url}]" if ":" in first.url else first.url
            published = _range(first.published, last.published)
            texts.append(f"{host}:{published}->{target}/{first.protocol}")
        else:
            texts.append(f"{target}/{first.protocol}")
    return ", ".join(dict.fromkeys(texts))


def _ranges(publishers: Sequence[Publisher]) -> Iterable[list[Publisher]]:
    by_address: dict[tuple[str, str, bool], list[Publisher]] = {}
    for it in publishers:
        by_address.setdefault((it.url, it.protocol, bool(it.published)), []).append(it)
    for found in by_address.values():
        group: list[Publisher] = []
        for it in found:
            if group and not _follows(group[-1], it):
                yield group
                group = []
            group.append(it)
        yield group


def _follows(first: Publisher, second: Publisher) -> bool:
    if second.target != first.target + 1:
        return False
    return not first.published or second.published == first.published + 1


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def stack_row(summary: StackSummary) -> dict[str, str]:
    """One stack of `ls`: `running(2), exited(1)`."""
    states = ", ".join(f"{state}({count})" for state, count in sorted(summary.states.items()))
    return {
        "Name": summary.name,
        "Status": states,
        "ConfigFiles": ",".join(summary.config_files),
    }
