"""What `down`, `stop`, `rm`, `start`, `restart`, `kill`, `pause` and `unpause` do.

They work from what is there: without a file, a name is enough. A file adds `pre_stop` hooks, the
services that nobody has started yet, and the networks and volumes that belong to the stack.
"""

from collections.abc import Sequence
from typing import NamedTuple

from stackctl.cli.bringing_up import progress_mode
from stackctl.cli.local_stack import LocalStack
from stackctl.cli.render.step_progress import ProgressMode, StepProgress
from stackctl.cli.session import Session
from stackctl.compose.contents import Purpose
from stackctl.compose.parts.lifecycle import Hook
from stackctl.compose.problems import ComposeProblems
from stackctl.errors import InputError, UnknownName
from stackctl.local.actions import Actions
from stackctl.local.down import Remains, images_to_remove, plan_down, plan_removal, plan_stop
from stackctl.local.execute import execute
from stackctl.local.observed import Container
from stackctl.local.observing import find_images, list_networks_of, list_volumes_of
from stackctl.local.plan import Plan, plan_lines
from stackctl.local.stack_files import Stack, load_stack


class EndFlags(NamedTuple):
    """The flags of commands that end containers."""

    services: tuple[str, ...] = ()
    timeout_seconds: int | None = None
    volumes: bool = False
    rmi: str = ""
    removes_orphans: bool = False
    progress: ProgressMode | None = None
    is_dry_run: bool = False


class There(NamedTuple):
    """A stack's containers, and its files where there are any."""

    local: LocalStack
    stack: Stack | None
    containers: tuple[Container, ...]


def look(session: Session, services: Sequence[str] = (), *, verb: str) -> There:
    """What is there. Raises UnknownName for a service that is neither there nor in the file."""
    local = LocalStack(session)
    stack = _read_if_there(session, local, verb)
    containers = local.containers()
    known = {it.service for it in containers} | set(stack.services if stack else ())
    for service in services:
        if service not in known:
            raise UnknownName("service", service, known=known)
    if services:
        containers = tuple(it for it in containers if it.service in services)
    return There(local, stack, containers)


def down(session: Session, flags: EndFlags) -> int:
    """Stop and remove what a stack has on the engine."""
    there = look(session, flags.services, verb="down")
    stack_name = there.local.name
    containers = there.containers
    if there.stack is not None and not flags.removes_orphans and not flags.services:
        known = set(there.stack.services) | set(there.stack.switched_off)
        orphans = [it for it in containers if it.service not in known]
        containers = tuple(it for it in containers if it.service in known)
        if orphans:
            listed = ", ".join(it.name for it in orphans)
            session.terminal.note(
                f"warning: the file has no service for {listed} of this stack; --remove-orphans "
                "removes what it does not name"
            )
    engine = there.local.engine
    remains = Remains(containers)
    if not flags.services:
        volumes = list_volumes_of(engine, stack_name).values() if flags.volumes else ()
        networks = list_networks_of(engine, stack_name).values()
        remains = Remains(containers, tuple(networks), tuple(volumes))
    if flags.rmi:
        document = there.stack.document if there.stack else None
        images = images_to_remove(flags.rmi, stack_name, containers, document)
        there_are = find_images(engine, images)
        remains = remains._replace(images=tuple(it for it in images if it in there_are))
    plan = plan_down(
        remains,
        timeout_seconds=flags.timeout_seconds,
        volumes=flags.volumes,
        hooks=hooks_of(there.stack),
    )
    if not plan.steps:
        session.terminal.note(f"warning: nothing to remove: stack {stack_name} has nothing here")
        return 0
    run_plan(session, there, plan, flags, title="down")
    return 0


def stop(session: Session, flags: EndFlags) -> int:
    """Stop containers, dependents first."""
    there = look(session, flags.services, verb="stop")
    plan = plan_stop(
        there.containers, timeout_seconds=flags.timeout_seconds, hooks=hooks_of(there.stack)
    )
    run_plan(session, there, plan, flags, title="stop")
    return 0


def remove(session: Session, flags: EndFlags, *, stops: bool, forces: bool) -> int:
    """Remove stopped containers, or all with `stops`; asks first on a terminal."""
    there = look(session, flags.services, verb="rm")
    stops_first = plan_stop(
        there.containers if stops else (), timeout_seconds=None, hooks=hooks_of(there.stack)
    )
    chosen = [it for it in there.containers if stops or not it.is_alive]
    if not chosen:
        session.terminal.note("no stopped containers")
        return 0
    listed = ", ".join(it.name for it in chosen)
    if not forces and not flags.is_dry_run:
        _ask(session, f"Going to remove {listed}\nAre you sure? [yN] ")
    plan = plan_removal(chosen, stops_first, volumes=flags.volumes)
    run_plan(session, there, plan, flags, title="rm")
    return 0


def remove_orphans(session: Session, flags: EndFlags) -> int:
    """Remove the containers of services that the file no longer has, running or not.

    Raises InputError where there is no file to say which those are.
    """
    local = LocalStack(session)
    stack = local.read(purpose=Purpose.NOTHING)
    known = {*stack.services, *stack.switched_off}
    orphans = [it for it in local.containers() if it.service not in known and not it.is_one_off]
    stops = plan_stop(orphans, timeout_seconds=0)
    plan = plan_removal(orphans, stops, cause="the file has no service for it")
    run_plan(session, There(local, stack, tuple(orphans)), plan, flags, title="rm")
    return 0


def run_plan(session: Session, there: There, plan: Plan, flags: EndFlags, *, title: str) -> None:
    """Carry a plan out, or show it."""
    if flags.is_dry_run:
        lines = [f"{line}\n" for line in plan_lines(plan)]
        session.terminal.write("".join(lines) or "nothing to do\n")
        return
    mode = progress_mode(session, flags.progress)
    with StepProgress(session.terminal, mode, title=title) as progress:
        execute(plan, Actions(there.local.engine), progress.report)


def hooks_of(stack: Stack | None) -> dict[str, tuple[Hook, ...]]:
    """`pre_stop` of each service."""
    return {it.key: it.pre_stop for it in stack.document.services} if stack else {}


def _read_if_there(session: Session, local: LocalStack, verb: str) -> Stack | None:
    """The files, unless there are none to be found: then a name is enough."""
    separator = local.name_separator
    try:
        return load_stack(local.request, name_separator=separator, purpose=Purpose.NOTHING)
    except InputError as error:
        flags = session.stack_flags
        if flags.files or not (flags.name or session.environment.get("COMPOSE_PROJECT_NAME")):
            if isinstance(error, ComposeProblems):
                name = flags.name or _name_if_known(local)
                error.hint = f"stackctl -p {name} {verb} goes by what is there, without the file"
            raise
        return None


def _name_if_known(local: LocalStack) -> str:
    try:
        return local.name
    except InputError:
        return "NAME"


def _ask(session: Session, question: str) -> None:
    """Raises InputError unless the answer is yes."""
    answer = session.terminal.ask(question)
    if answer is None:
        raise InputError("nobody can be asked here", hint="--force removes without a question")
    if answer.strip().lower() not in ("y", "yes"):
        raise InputError("nothing was removed")
