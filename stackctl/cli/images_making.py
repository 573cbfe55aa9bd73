"""What `build`, `pull` and `push` do with the images of a stack's services."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from stackctl.cli.bringing_up import progress_mode
from stackctl.cli.local_stack import LocalStack
from stackctl.cli.render.step_progress import ProgressMode, StepProgress
from stackctl.cli.session import Session
from stackctl.compose.contents import Purpose
from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Service
from stackctl.compose.problems import ComposeProblems
from stackctl.errors import StackctlError
from stackctl.local.building.build_image import build_image
from stackctl.local.building.build_request import BuildFlags, ImageBuild, image_builds
from stackctl.local.building.builders import ask_for_builders, choose_builder
from stackctl.local.credentials import Credentials
from stackctl.local.image_transfer import TransferStep, pull_image, push_image
from stackctl.local.names import image_of
from stackctl.local.observing import find_image
from stackctl.local.progress import Phase, Progress, Report
from stackctl.local.stack_files import Stack
from stackctl.local.together import all_together


class PullPolicyFlag(StrEnum):
    """`--policy`."""

    ALWAYS = "always"
    MISSING = "missing"


class TransferFlags(NamedTuple):
    """The flags of `pull` and `push`."""

    services: tuple[str, ...] = ()
    ignores_buildable: bool = False
    ignores_failures: bool = False
    with_dependencies: bool = False
    policy: PullPolicyFlag = PullPolicyFlag.ALWAYS
    is_quiet: bool = False
    progress: ProgressMode | None = None


class _Transfer(NamedTuple):
    """One image on its way; a failure of one that may fail is a warning."""

    image: str
    may_fail: bool
    work: Callable[[Callable[[TransferStep], None]], None]


def chosen_services(
    stack: Stack, names: Sequence[str], *, with_dependencies: bool
) -> tuple[Service, ...]:
    """The services named, or all; dependencies come first. Raises UnknownName."""
    chosen = stack.chosen(names)
    if not names or not with_dependencies:
        return chosen
    found: dict[str, Service] = {}
    on_the_way: set[str] = set()

    def add(service: Service) -> None:
        if service.key in on_the_way:
            return
        on_the_way.add(service.key)
        for dependency in dependencies_of(service):
            if needed := stack.services.get(dependency.key):
                add(needed)
        found[service.key] = service

    for service in chosen:
        add(service)
    return tuple(found.values())


def build_images(
    session: Session,
    local: LocalStack,
    names: Sequence[str],
    flags: BuildFlags,
    *,
    pushes: bool,
    with_dependencies: bool,
    progress: ProgressMode = ProgressMode.PLAIN,
) -> int:
    """Build one image after the other: a later one may begin with an earlier one.

    Raises ComposeProblems for all keys that no builder honours, before anything is built.
    """
    stack = local.read(names, purpose=Purpose.IMAGES, with_dependencies=with_dependencies)
    services = chosen_services(stack, names, with_dependencies=with_dependencies)
    builds = image_builds(stack.name, services, stack.document.secrets)
    if not builds:
        session.terminal.note("nothing to build: no service has build:")
        return 0
    offer = ask_for_builders(local.engine, session.environment)
    refusals = [it for wanted in builds for it in choose_builder(wanted, flags, offer).refusals]
    if refusals:
        raise ComposeProblems(refusals)
    mode = ProgressMode.JSON if progress is ProgressMode.JSON else ProgressMode.PLAIN
    if flags.is_quiet:
        mode = ProgressMode.QUIET
    with StepProgress(session.terminal, mode, title="build") as shown:
        for wanted in builds:
            _build(session, local, wanted, flags, shown.report, has_company=len(builds) > 1)
    if pushes:
        pushed = [service for service in services if service.build is not None]
        transfer = TransferFlags(is_quiet=flags.is_quiet, progress=progress)
        return _push(session, local, stack, pushed, transfer)
    return 0


def _build(
    session: Session,
    local: LocalStack,
    wanted: ImageBuild,
    flags: BuildFlags,
    report: Report,
    *,
    has_company: bool,
) -> None:
    resource = f"Image {wanted.image}"
    prefix = f"{wanted.service_key} | " if has_company else ""

    def show(line: str) -> None:
        report(Progress(resource, Phase.WORKING, "Building", output=f"{prefix}{line}"))

    build_image(local.engine, wanted, flags, environment=session.environment, on_line=show)
    report(Progress(resource, Phase.DONE, "Built"))


def pull_images(session: Session, local: LocalStack, flags: TransferFlags) -> int:
    """Pull each image once, several at a time; returns 1 if one is missing in the end."""
    stack = local.read(flags.services, purpose=Purpose.NOTHING)
    credentials = Credentials(session.environment)
    transfers: dict[str, _Transfer] = {}
    for service in chosen_services(
        stack, flags.services, with_dependencies=flags.with_dependencies
    ):
        image = image_of(stack.name, service)
        is_buildable = service.build is not None
        if service.provider is not None or (is_buildable and not service.container.image):
            continue
        if is_buildable and flags.ignores_buildable:
            continue
        if flags.policy is PullPolicyFlag.MISSING and find_image(local.engine, image):
            continue
        work = partial(_pull_one, local, credentials, service)
        transfers[image] = _Transfer(image, is_buildable or flags.ignores_failures, work)
    return _transfer(session, list(transfers.values()), flags, words=("Pulling", "Pulled"))


def _pull_one(
    local: LocalStack,
    credentials: Credentials,
    service: Service,
    on_step: Callable[[TransferStep], None],
) -> None:
    container = service.container
    pull_image(
        local.engine, credentials, container.image, platform=container.platform, on_step=on_step
    )


def push_images(session: Session, local: LocalStack, flags: TransferFlags) -> int:
    """Push what is built here and has a name of the user's; returns 1 if one was not taken."""
    stack = local.read(flags.services, purpose=Purpose.NOTHING)
    services = chosen_services(stack, flags.services, with_dependencies=flags.with_dependencies)
    return _push(session, local, stack, services, flags)


def _push(
    session: Session,
    local: LocalStack,
    stack: Stack,
    services: Sequence[Service],
    flags: TransferFlags,
) -> int:
    credentials = Credentials(session.environment)
    named = [it for it in services if it.build is not None and it.container.image]
    images = [name for wanted in image_builds(stack.name, named) for name in wanted.names]
    transfers = [
        _Transfer(
            image,
            flags.ignores_failures,
            lambda on_step, image=image: push_image(  # type: ignore[misc]  # mypy knows no defaults of lambdas
                local.engine, credentials, image, on_step=on_step
            ),
        )
        for image in dict.fromkeys(images)
    ]
    if not transfers:
        session.terminal.note("nothing to push: no service has both build: and image:")
    return _transfer(session, transfers, flags, words=("Pushing", "Pushed"))


def _transfer(
    session: Session, transfers: list[_Transfer], flags: TransferFlags, *, words: tuple[str, str]
) -> int:
    failures: list[StackctlError] = []
    mode = ProgressMode.QUIET if flags.is_quiet else progress_mode(session, flags.progress)

    def move(transfer: _Transfer, report: Report) -> None:
        resource = f"Image {transfer.image}"
        report(Progress(resource, Phase.WORKING, words[0]))
        try:
            transfer.work(lambda step: _report_layer(report, resource, step))
        except StackctlError as error:
            phase = Phase.WARNING if transfer.may_fail else Phase.ERROR
            report(Progress(resource, phase, phase.value, error.message))
            if not transfer.may_fail:
                failures.append(error)
            return
        report(Progress(resource, Phase.DONE, words[1]))

    with StepProgress(session.terminal, mode, title=words[0].lower()) as progress:
        all_together([partial(move, transfer, progress.report) for transfer in transfers])
    if failures:
        raise failures[0]
    return 0


def _report_layer(report: Report, resource: str, step: TransferStep) -> None:
    if step.layer:
        is_done = step.text.endswith(("complete", "exists", "Pushed"))
        phase = Phase.DONE if is_done else Phase.WORKING
        counts = (step.done_bytes, step.all_bytes)
        report(Progress(step.layer, phase, step.text, "", resource, *counts))
