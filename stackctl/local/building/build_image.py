"""Builds one image on the engine, by the builder that honours what the file says."""

from collections.abc import Callable, Mapping

from stackctl.compose.problems import ComposeProblems
from stackctl.local.building.build_request import BuildFlags, ImageBuild
from stackctl.local.building.builders import Builder, ask_for_builders, choose_builder
from stackctl.local.building.classic_build import build_classically
from stackctl.local.building.dockerfile import build_input
from stackctl.local.engine.client import Engine
from stackctl.local.failures import EngineRefusal, StepFailed

OnLine = Callable[[str], None]


def build_image(
    engine: Engine,
    wanted: ImageBuild,
    flags: BuildFlags,
    *,
    environment: Mapping[str, str],
    on_line: OnLine = lambda _: None,
) -> str:
    """Build an image under its names; returns its id.

    Raises ComposeProblems for keys that no builder of the engine honours, InputError for a context
    that is not there, StepFailed with the last lines of a build that failed.
    """
    choice = choose_builder(wanted, flags, ask_for_builders(engine, environment))
    if choice.refusals:
        raise ComposeProblems(choice.refusals)
    if choice.reason:
        on_line(choice.reason)
    sent = build_input(wanted.build, owner=wanted.service_key)
    build = build_classically
    if choice.builder is Builder.BUILDKIT:
        # It brings HTTP/2, which the classic builder and all other commands do without.
        from stackctl.local.building.buildkit_build import (  # noqa: PLC0415 - see above
            build_with_buildkit,
        )

        build = build_with_buildkit
    try:
        return build(engine, wanted, flags, sent, environment=environment, on_line=on_line)
    except EngineRefusal as refusal:
        raise StepFailed(
            f"cannot build service {wanted.service_key}: {refusal.message}", hint=refusal.hint
        ) from refusal
