"""`deploy --build`: images are built on an engine here and handed to the managers.

The files are read whole before anything is built, so that a mistake in them costs no build. For
that the services get names of images that are to be; the real ones take their place afterwards.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from stackctl.cli.local_stack import LocalStack
from stackctl.cli.render.step_progress import ProgressMode, StepProgress
from stackctl.cli.session import Session
from stackctl.compose.contents import Purpose
from stackctl.compose.document import Document
from stackctl.compose.load import load_request_stack
from stackctl.compose.problems import ComposeProblems
from stackctl.errors import StackctlError
from stackctl.local.building.build_image import build_image
from stackctl.local.building.build_request import BuildFlags, ImageBuild, image_builds
from stackctl.local.building.builders import ask_for_builders, choose_builder
from stackctl.local.engine.client import Engine
from stackctl.local.image_saving import (
    SavedImage,
    forget_earlier_builds,
    name_for_cluster,
    save_image,
)
from stackctl.local.names import image_of
from stackctl.local.progress import Phase, Progress, Report
from stackctl.model.cluster_images import cluster_reference

if TYPE_CHECKING:
    from stackctl.client.content_views import ImageTransfer
    from stackctl.model.specs import ServiceSpec, StackSpec


SHOWN_BYTES = 1 << 20  # between two reports of how much has been sent


class Builds(NamedTuple):
    """What is built: by service, and the name that stands for the image until it is there."""

    wanted: Mapping[str, ImageBuild]
    stand_ins: Mapping[str, str]


def builds_of(document: Document, stack_name: str) -> Builds:
    """The builds of a document's services."""
    builds = image_builds(stack_name, document.services, document.secrets)
    wanted = {build.service_key: build for build in builds}
    stand_ins = {
        key: cluster_reference(build.image, f"{number:012x}")
        for number, (key, build) in enumerate(wanted.items())
    }
    return Builds(wanted, stand_ins)


def build_and_hand_over(
    session: Session, builds: Builds, *, is_quiet: bool
) -> dict[str, SavedImage]:
    """Build the images, and give the managers those that they lack; returns them by stand-in.

    Raises EngineUnavailable without an engine here, ComposeProblems for keys that no builder
    honours, StepFailed for a build that fails, and what managers refuse.
    """
    if not builds.wanted:
        session.terminal.note("nothing to build: no service has build:")
        return {}
    engine = LocalStack(session).engine
    session.client.cluster()  # no build for a cluster that does not answer
    offer = ask_for_builders(engine, session.environment)
    wishes = [choose_builder(wanted, BuildFlags(), offer) for wanted in builds.wanted.values()]
    if refusals := [problem for wish in wishes for problem in wish.refusals]:
        raise ComposeProblems(refusals)
    saved = {
        builds.stand_ins[key]: _build(session, engine, wanted, is_quiet=is_quiet)
        for key, wanted in builds.wanted.items()
    }
    hand_over(session, engine, saved.values(), is_quiet=is_quiet)
    return saved


def push_to_cluster(
    session: Session, local: LocalStack, services: Sequence[str], *, is_quiet: bool
) -> None:
    """Hand images that have just been built to the managers, and to the nodes where a deploy of
    these files would run them; nothing is deployed. Raises as `build_and_hand_over` does.
    """
    stack = local.read(services, purpose=Purpose.NOTHING)
    builds = builds_of(stack.document, stack.name)
    request = local.request._replace(stack_name=stack.name, images=builds.stand_ins)
    spec = load_request_stack(request).spec
    saved = {
        builds.stand_ins[service.key]: name_for_cluster(
            local.engine, image_of(stack.name, service), image_of(stack.name, service)
        )
        for service in stack.chosen(services)
        if service.build is not None
    }
    hand_over(session, local.engine, saved.values(), is_quiet=is_quiet)
    built = {image.reference for image in saved.values()}
    spec = with_images(spec, saved)
    wanted = tuple(it for it in spec.services if it.task.container.image in built)
    spec = msgspec.structs.replace(spec, services=wanted)
    bring_to_nodes(session, stack.name, spec, is_quiet=is_quiet)


def hand_over(
    session: Session, engine: Engine, images: Iterable[SavedImage], *, is_quiet: bool
) -> None:
    """Give the managers those images that they lack."""
    held = {image["reference"] for image in session.client.images()}
    mode = ProgressMode.QUIET if is_quiet else ProgressMode.AUTO
    with StepProgress(session.terminal, mode, title="handing over") as progress:
        for image in dict.fromkeys(images):
            _hand_over(session, engine, image, held, progress.report)


def bring_to_nodes(session: Session, stack_name: str, spec: "StackSpec", *, is_quiet: bool) -> None:
    """Have the nodes fetch what they will need. A node that cannot is no reason to stop, as long as
    others can: it tries again when a task needs the image. Raises StackctlError when none can.
    """
    from stackctl.wire import codec

    mode = ProgressMode.QUIET if is_quiet else ProgressMode.AUTO
    ended: dict[str, list[ImageTransfer]] = {}
    with StepProgress(session.terminal, mode, title="fetching") as progress:
        for step in session.client.spread_images(stack_name, codec.to_json(spec)):
            _show_transfer(step, progress.report)
            if step["state"] != "fetching":
                ended.setdefault(step["image"], []).append(step)
    for image, steps in ended.items():
        failed = [step for step in steps if step["state"] == "failed"]
        if failed and all(step["state"] != "done" for step in steps):
            reasons = "; ".join(f"{step['node']}: {step['error']}" for step in failed)
            raise StackctlError(
                f"no node could fetch image {image} ({reasons}); nothing was deployed"
            )


def _show_transfer(step: "ImageTransfer", report: Report) -> None:
    resource = f"Image {step['image']} on {step['node']}"
    match step["state"]:
        case "done":
            report(Progress(resource, Phase.DONE, "Is there"))
        case "failed":
            report(Progress(resource, Phase.WARNING, "Failed", step["error"]))
        case "absent":
            words = f"{step['error']}: it fetches the image when a task needs it"
            report(Progress(resource, Phase.WARNING, "Later", words))
        case _ if not step["done_bytes"]:
            report(Progress(resource, Phase.WORKING, "Fetching"))
        case _:
            part = Progress(
                f"{step['image']} {step['node']}",
                Phase.WORKING,
                "Fetching",
                parent=resource,
                current=step["done_bytes"],
                total=step["size_bytes"],
            )
            report(part)


def with_images(spec: "StackSpec", images: Mapping[str, SavedImage]) -> "StackSpec":
    """The spec with the images in place of what stood for them; their platform places the tasks."""
    services = tuple(_with_image(service, images) for service in spec.services)
    return msgspec.structs.replace(spec, services=services)


def _with_image(service: "ServiceSpec", images: Mapping[str, SavedImage]) -> "ServiceSpec":
    container = service.task.container
    image = images.get(container.image)
    if image is None:
        return service
    container = msgspec.structs.replace(
        container, image=image.reference, platform=container.platform or image.platform
    )
    task = msgspec.structs.replace(service.task, container=container)
    return msgspec.structs.replace(service, task=task)


def _build(session: Session, engine: Engine, wanted: ImageBuild, *, is_quiet: bool) -> SavedImage:
    def show(line: str) -> None:
        if not is_quiet:
            session.terminal.note(f"{wanted.service_key} | {line}")

    image_id = build_image(
        engine, wanted, BuildFlags(), environment=session.environment, on_line=show
    )
    return name_for_cluster(engine, wanted.image, image_id)


def _hand_over(
    session: Session, engine: Engine, image: SavedImage, held: set[str], report: Report
) -> None:
    resource = f"Image {image.reference}"
    client = session.client
    if image.reference in held:
        client.put_image(image.reference, ())  # nothing is sent; it will not be cleaned away now
        report(Progress(resource, Phase.DONE, "Is there"))
        return

    shown = 0

    def show(done: int) -> None:
        nonlocal shown
        if done - shown >= SHOWN_BYTES:
            shown = done
            total = max(image.size_bytes, done)
            part = Progress(
                image.reference,
                Phase.WORKING,
                "Sending",
                parent=resource,
                current=done,
                total=total,
            )
            report(part)

    report(Progress(resource, Phase.WORKING, "Sending"))
    try:
        client.put_image(image.reference, save_image(engine, image.reference, on_bytes=show))
    except StackctlError as error:
        report(Progress(resource, Phase.ERROR, "Error", error.message))
        raise
    report(Progress(resource, Phase.DONE, "Sent"))
    forget_earlier_builds(engine, image.reference)
