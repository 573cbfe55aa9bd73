"""What `stack rm` and `service rm` do: ask for the removal, follow it until all is gone."""

from collections.abc import Callable, Sequence

from stackctl.cli.listings.task_lists import nothing_in_stack
from stackctl.cli.render.errors import render_error
from stackctl.cli.session import Session
from stackctl.cli.waiting import live_tasks, wait_until_gone
from stackctl.client.api import Client
from stackctl.client.failures import NoSuchName
from stackctl.errors import NotConverged


def remove_stacks(session: Session, names: Sequence[str], *, is_detached: bool) -> int:
    """Remove stacks; one that does not exist is only remarked upon, as Swarm does."""
    removed = [name for name in names if _remove_stack(session, name)]
    if not is_detached:
        for name in removed:
            wait_until_gone(session, what=f"stack {name}", remaining=_left_of_stack(name))
    return 0


def _remove_stack(session: Session, name: str) -> bool:
    client = session.client
    try:
        services = client.services(stack=name)
        networks = client.networks(stack=name)
        client.remove_stack(name)
    except NoSuchName:
        session.terminal.note(render_error(nothing_in_stack(session, name)))
        return False
    found = [("service", service["name"]) for service in services]
    found += [("network", network["name"]) for network in networks]
    session.terminal.write("".join(f"Removing {kind} {each}\n" for kind, each in sorted(found)))
    return True


def _left_of_stack(name: str) -> Callable[[Client], int | None]:
    def left(client: Client) -> int | None:
        stack = next((each for each in client.stacks() if each["name"] == name), None)
        if stack is None:
            return None
        if not stack["removing"]:
            raise NotConverged(f"stack {name} was deployed again while it was being removed")
        try:
            return live_tasks(client.tasks(stack=name))
        except NoSuchName:
            return None

    return left


def remove_services(session: Session, references: Sequence[str], *, is_detached: bool) -> int:
    """Remove services; exit code 1 when one of them is unknown."""
    removed: list[tuple[str, str]] = []
    unknown: list[NoSuchName] = []
    for reference in references:
        try:
            service = session.client.service(reference)["service"]
            session.client.remove_service(service["id"])
        except NoSuchName as error:
            unknown.append(error)
            continue
        removed.append((service["id"], service["name"]))
        session.terminal.write(f"{reference}\n")
    if not is_detached:
        for service_id, name in removed:
            wait_until_gone(session, what=f"service {name}", remaining=_left_of_service(service_id))
    for missing in unknown:
        session.terminal.note(render_error(missing))
    return NoSuchName.exit_code if unknown else 0


def _left_of_service(service_id: str) -> Callable[[Client], int | None]:
    def left(client: Client) -> int | None:
        if not any(service["id"] == service_id for service in client.services()):
            return None
        try:
            return live_tasks(client.tasks(service=service_id))
        except NoSuchName:
            return None

    return left
