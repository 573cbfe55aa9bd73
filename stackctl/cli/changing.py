"""What `service scale` and the rollbacks of services and stacks do: change, and follow."""

from collections.abc import Sequence
from typing import NamedTuple

from stackctl.cli.render.changes import render_changes
from stackctl.cli.session import Session
from stackctl.cli.waiting import (
    Change,
    WaitOptions,
    read_services,
    read_stack,
    wait_for_change,
)
from stackctl.client.convergence import baseline_of
from stackctl.errors import InputError


class Scale(NamedTuple):
    """One `SERVICE=N`."""

    reference: str
    replicas: int


def parse_scale(text: str) -> Scale:
    """`shop_web=5`. Raises InputError."""
    reference, separator, number = text.rpartition("=")
    if not separator or not reference or not (number.isascii() and number.isdigit()):
        raise InputError(f"{text!r} is not SERVICE=REPLICAS", hint="stackctl service scale web=3")
    return Scale(reference, int(number))


def scale_services(
    session: Session, scales: Sequence[Scale], *, is_detached: bool, wait: WaitOptions
) -> int:
    """Set numbers of replicas. Raises NoSuchName, Conflict, NotConverged."""
    client = session.client
    # Unknown names are found before anything is changed.
    found = [client.service(scale.reference)["service"] for scale in scales]
    read = read_services([service["id"] for service in found])
    before = read(client)
    for service, scale in zip(found, scales, strict=True):
        client.scale_service(service["id"], scale.replicas)
        session.terminal.write(f"{service['name']} scaled to {scale.replicas}\n")
    if not is_detached:
        names = tuple(dict.fromkeys(service["name"] for service in found))
        change = Change(names, read, baseline_of(before), f"stackctl service ps {names[0]}")
        wait_for_change(session, change, wait)
    return 0


def roll_back_service(
    session: Session, reference: str, *, is_detached: bool, wait: WaitOptions
) -> int:
    """Return to the previous spec. Raises NoSuchName, Conflict, NotConverged."""
    client = session.client
    service = client.service(reference)["service"]
    read = read_services([service["id"]])
    before = read(client)
    client.rollback_service(service["id"])
    session.terminal.write(f"{service['name']}\n")
    if not is_detached:
        change = Change(
            service_names=(service["name"],),
            read=read,
            baseline=baseline_of(before),
            show_command=f"stackctl service ps {service['name']}",
            accepts_rollback=(service["name"],),
        )
        wait_for_change(session, change, wait)
    return 0


def roll_back_stack(
    session: Session, name: str, revision: int, *, is_detached: bool, wait: WaitOptions
) -> int:
    """Return to a revision of a stack. Raises NoSuchName, Conflict, NotConverged."""
    client = session.client
    read = read_stack(name)
    before = read(client)
    result = client.rollback_stack(name, revision)
    if not wait.is_quiet:
        session.terminal.write(render_changes(result["changes"]))
    if not is_detached:
        change = Change(
            service_names=tuple(
                change["name"]
                for change in result["changes"]
                if change["kind"] == "service" and change["action"] != "remove"
            ),
            read=read,
            baseline=baseline_of(before),
            show_command=f"stackctl stack ps {name}",
            after_index=result["index"],
            # It may be that all that was left to do was a rollback that had been paused.
            accepts_rollback=tuple(
                service["name"]
                for service in before.services
                if service["update"] and service["update"]["state"] == "rollback_paused"
            ),
        )
        wait_for_change(session, change, wait)
    return 0
