"""What `node update --availability drain` does after the change: wait until the node is empty."""

import time

from stackctl.cli.session import Session
from stackctl.cli.waiting import WaitOptions, watch
from stackctl.client.api import Client
from stackctl.client.convergence import USUAL_LIMITS
from stackctl.client.drain import Drain, DrainVerdict, ServiceLeft
from stackctl.client.failures import NoSuchName
from stackctl.client.views import NodeView, TaskView
from stackctl.errors import NotConverged


def wait_until_empty(session: Session, node: NodeView, options: WaitOptions) -> None:
    """Return when nothing is left on the node. Raises NotConverged; Ctrl-C ends only the wait."""
    limits = session.limits or USUAL_LIMITS
    drain = Drain(
        now=time.monotonic(),
        stalled_seconds=limits.stalled_seconds,
        timeout_seconds=options.timeout_seconds,
    )
    shown: dict[str, str] = {}

    def look(client: Client) -> DrainVerdict | None:
        verdict = _observe(client, drain, node["id"])
        for each in verdict.services if not options.is_quiet else ():
            line = _line(each)
            if shown.get(each.name) != line:
                shown[each.name] = line
                session.terminal.note(line)
        return verdict if verdict.is_done or verdict.failure else None

    name = node["hostname"]
    verdict = watch(session, look, if_left=f"Node {name} is drained in the background")
    for line in verdict.homeless:
        session.terminal.note(f"runs nowhere now: {line}")
    if verdict.failure:
        raise NotConverged(
            verdict.failure,
            hint=f"'stackctl node ps {name}' shows what is left; 'stackctl node update"
            f" --availability active {name}' takes the drain back",
        )
    if not options.is_quiet:
        session.terminal.note(f"Node {name} is empty")


def _observe(client: Client, drain: Drain, node_id: str) -> DrainVerdict:
    node = client.node(node_id)
    drain.note(client.tasks(node=node_id))
    tasks: list[TaskView] = []
    for service_id in drain.service_ids:
        try:
            tasks.extend(client.tasks(service=service_id))
        except NoSuchName:
            continue  # the service was removed meanwhile
    return drain.observe(node, tasks, now=time.monotonic())


def _line(service: ServiceLeft) -> str:
    if service.is_done:
        return f"{service.name}: gone"
    line = f"{service.name}: {service.left} of {service.before} left"
    return f"{line}: {service.reason}" if service.reason else line
