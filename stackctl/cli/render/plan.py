"""A plan as text: what changes and why, what that means for its tasks, what a lost node takes."""

from collections.abc import Callable, Iterator, Sequence

from stackctl.client.views import Change, PlannedLoss, PlanView, ServicePlan

Paint = Callable[[str, str], str]

_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "remove": ("-", "red")}
_NOTHING = '""'


def has_changes(plan: PlanView) -> bool:
    """Whether the deploy would change anything."""
    return any(change["action"] != "unchanged" for change in plan["changes"])


def render_plan(plan: PlanView, *, paint: Paint) -> str:
    """The whole plan."""
    return "".join(f"{line}\n" for line in _lines(plan, paint))


def _lines(plan: PlanView, paint: Paint) -> Iterator[str]:
    services = {service["name"]: service for service in plan["services"]}
    for change in plan["changes"]:
        if change["action"] == "unchanged":
            continue
        yield _headline(change, paint)
        if change["kind"] == "service":
            yield from (f"    {line}" for line in _service_lines(services[change["name"]]))
    yield from _unchanged_lines(plan)
    if not plan["settles"]:
        yield "How it ends could not be foreseen: the rehearsal did not come to rest."
    yield from _loss_lines(plan["losses"])


def _headline(change: Change, paint: Paint) -> str:
    sign, colour = _SIGNS.get(change["action"], ("?", ""))
    cause = f" ({change['cause']})" if change["cause"] else ""
    return paint(f"{sign} {change['kind']} {change['name']}", colour) + cause


def _service_lines(service: ServicePlan) -> Iterator[str]:
    for field in service["fields"]:
        yield f"{field['path']}: {field['before'] or _NOTHING} -> {field['after'] or _NOTHING}"
    yield _task_line(service)
    if service["tasks_stopped"] and service["running_after"]:
        yield _downtime(service)
    for move in service["moves"]:
        yield f"slot {move['slot']} moves from {move['from_node']} to {move['to_node']}"
    for reason in service["waiting"]:
        yield f"! {reason}"


def _task_line(service: ServicePlan) -> str:
    stopped, started = service["tasks_stopped"], service["tasks_started"]
    replaced = min(stopped, started)
    parts = [
        f"{count} {verb}"
        for count, verb in (
            (replaced, "replaced"),
            (started - replaced, "started"),
            (stopped - replaced, "stopped"),
            (service["tasks_told"], "told by a signal"),
            (service["tasks_kept"] - service["tasks_told"], "kept"),
            (service["tasks_completed"], "run to completion"),
        )
        if count
    ]
    places = ", ".join(f"{count} on {node}" for node, count in service["nodes"].items())
    tasks = ", ".join(parts) or "none"
    return f"tasks: {tasks}" + (f"; then {places}" if places else "")


def _downtime(service: ServicePlan) -> str:
    before, lowest = service["running_before"], service["running_lowest"]
    if not lowest:
        return "downtime: from the stop of its last old task to the start of its first new one"
    if lowest < before:
        return f"no downtime: at least {lowest} of {before} tasks run all the while"
    return "no downtime: each task stops after its successor runs"


def _unchanged_lines(plan: PlanView) -> Iterator[str]:
    unchanged = [change for change in plan["changes"] if change["action"] == "unchanged"]
    if not has_changes(plan):
        yield "Nothing to change"
    elif unchanged:
        yield f"Unchanged: {', '.join(_counted(unchanged))}"


def _counted(changes: Sequence[Change]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for change in changes:
        counts[change["kind"]] = counts.get(change["kind"], 0) + 1
    for kind, count in counts.items():
        yield f"{count} {kind}" + ("s" if count > 1 else "")


def _loss_lines(losses: Sequence[PlannedLoss]) -> Iterator[str]:
    if not losses:
        return
    yield "If a node is lost afterwards:"
    width = max(len(loss["node"]) for loss in losses)
    for loss in losses:
        yield f"  {loss['node']:{width}}  {_loss_text(loss)}"


def _loss_text(loss: PlannedLoss) -> str:
    parts = []
    if gone := loss["gone"]:
        parts.append(f"{', '.join(gone)} gone until it returns")
    if interrupted := loss["interrupted"]:
        parts.append(f"{', '.join(interrupted)} interrupted until started elsewhere")
    return "; ".join(parts) or "everything goes on"
