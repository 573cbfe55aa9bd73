"""Fetches and builds the images that a stack needs, several at once."""

import threading
from collections.abc import Callable, Mapping
from functools import partial

from stackctl.compose.parts.objects import Secret
from stackctl.errors import StackctlError
from stackctl.local.building.build_image import build_image
from stackctl.local.building.build_request import BuildFlags, ImageBuild, image_builds
from stackctl.local.credentials import Credentials
from stackctl.local.engine.client import Engine
from stackctl.local.image_needs import ImageNeeds, Pull
from stackctl.local.image_transfer import TransferStep, pull_image
from stackctl.local.progress import Phase, Progress, Report
from stackctl.local.together import all_together


class ImageWork:
    """Carries out what images need."""

    def __init__(self, engine: Engine, environment: Mapping[str, str], report: Report) -> None:
        self._engine = engine
        self._environment = environment
        self._report = report
        self._lock = threading.Lock()

    def do(
        self, stack_name: str, needs: ImageNeeds, secrets: Mapping[str, Secret] | None = None
    ) -> None:
        """Fetch and build; `secrets` are the document's, which builds may be lent.

        Raises StackctlError for the first image that cannot be had.
        """
        calls: list[Callable[[], None]] = [partial(self._pull, pull) for pull in needs.pulls]
        all_together(calls)
        # One after the other: a later one may be built on an earlier one's image.
        builds = image_builds(stack_name, needs.builds, secrets)
        for wanted in builds:
            self._build(wanted, has_company=len(builds) > 1)

    def _pull(self, pull: Pull) -> None:
        resource = f"Image {pull.image}"
        self._say(Progress(resource, Phase.WORKING, "Pulling"))
        try:
            pull_image(
                self._engine,
                Credentials(self._environment),
                pull.image,
                platform=pull.platform,
                on_step=partial(self._say_layer, resource),
            )
        except StackctlError as error:
            self._say(Progress(resource, Phase.ERROR, "Error", error.message))
            raise
        self._say(Progress(resource, Phase.DONE, "Pulled"))

    def _say_layer(self, resource: str, step: TransferStep) -> None:
        if step.layer:
            phase = Phase.DONE if step.text == "Pull complete" else Phase.WORKING
            self._say(
                Progress(
                    step.layer,
                    phase,
                    step.text,
                    parent=resource,
                    current=step.done_bytes,
                    total=step.all_bytes,
                )
            )

    def _build(self, wanted: ImageBuild, *, has_company: bool) -> None:
        resource = f"Image {wanted.image}"
        prefix = f"{wanted.service_key} | " if has_company else ""

        def show(line: str) -> None:
            self._say(Progress(resource, Phase.WORKING, "Building", output=f"{prefix}{line}"))

        self._say(Progress(resource, Phase.WORKING, "Building"))
        try:
            build_image(
                self._engine, wanted, BuildFlags(), environment=self._environment, on_line=show
            )
        except StackctlError as error:
            self._say(Progress(resource, Phase.ERROR, "Error", error.message.partition("\n")[0]))
            raise
        self._say(Progress(resource, Phase.DONE, "Built"))

    def _say(self, progress: Progress) -> None:
        with self._lock:
            self._report(progress)
