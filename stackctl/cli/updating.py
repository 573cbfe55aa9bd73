"""What `service update` does: read a service's spec, edit it, hand it back, follow it."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from stackctl.cli.changing import roll_back_service
from stackctl.cli.session import Session
from stackctl.cli.spec_edits import edit_spec
from stackctl.cli.waiting import Change, WaitOptions, read_services, wait_for_change
from stackctl.client.convergence import baseline_of
from stackctl.errors import InputError
from stackctl.model.specs import ServiceSpec
from stackctl.wire import api, codec


class UpdateOptions(NamedTuple):
    """The flags of an update that are not about the spec."""

    is_forced: bool = False
    rolls_back: bool = False
    is_detached: bool = False
    wait: WaitOptions = WaitOptions()


def update_service(
    session: Session,
    reference: str,
    edits: Mapping[str, tuple[str, ...]],
    options: UpdateOptions,
) -> int:
    """Change a service's spec. Raises InputError, NoSuchName, Conflict, NotConverged."""
    if options.rolls_back:
        if edits or options.is_forced:
            raise InputError("--rollback takes the previous spec whole; give no other change")
        return roll_back_service(
            session, reference, is_detached=options.is_detached, wait=options.wait
        )
    client = session.client
    detail = client.service(reference)
    service = detail["service"]
    held = msgspec.convert(detail["spec"], ServiceSpec)
    edited = edit_spec(held, edits)
    if options.is_forced:
        task = edited.task
        edited = replace(edited, task=replace(task, force_update=task.force_update + 1))
    if edited == held:
        session.terminal.write(f"Nothing to change in {service['name']}\n")
        return 0
    read = read_services([service["id"]])
    before = read(client)
    body = codec.to_json(api.UpdateRequest(spec=edited, previous=held))
    client.update_service(service["id"], body)
    session.terminal.write(f"{service['name']}\n")
    if not options.is_detached:
        name = service["name"]
        change = Change((name,), read, baseline_of(before), f"stackctl service ps {name}")
        wait_for_change(session, change, options.wait)
    return 0
