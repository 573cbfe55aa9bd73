"""`up` and `create`: images, then a plan, then its execution."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from stackctl.errors import InputError
from stackctl.local.actions import Actions
from stackctl.local.engine.client import Engine
from stackctl.local.execute import AT_ONCE_MAX, execute
from stackctl.local.image_needs import ImageFlags, ImageNeeds, image_needs, quieted
from stackctl.local.names import image_of
from stackctl.local.observed import PAUSED, Observed
from stackctl.local.observing import find_images, observe
from stackctl.local.plan import Plan
from stackctl.local.progress import Phase, Progress, Report
from stackctl.local.reconcile import PlanOptions, Situation, chosen_services, plan_up
from stackctl.local.stack_files import Stack


class UpOptions(NamedTuple):
    """What a user asked for."""

    plan: PlanOptions = PlanOptions()
    images: ImageFlags = ImageFlags()
    at_once_max: int = AT_ONCE_MAX


class Foreseen(NamedTuple):
    """What would be done, and from what that follows."""

    images: ImageNeeds
    plan: Plan
    observed: Observed


class Up:
    """One stack on its way to what its files say."""

    def __init__(
        self, engine: Engine, stack: Stack, options: UpOptions, environment: Mapping[str, str]
    ) -> None:
        self._engine = engine
        self._stack = stack
        self._options = options
        self._environment = environment
        stack.chosen(options.plan.services)
        stack.chosen(tuple(options.plan.scale))
        self.services = chosen_services(stack.document, options.plan)
        if not self.services:
            raise InputError("no service is chosen: the file has none, or their profiles are off")

    def foresee(self) -> Foreseen:
        """What would be done; nothing is changed. Raises StackctlError."""
        observed = self._observe()
        needs = self._needs(observed)
        return Foreseen(needs, self._plan(observed), observed)

    def carry_out(self, report: Report) -> Foreseen:
        """Do it; returns what was done. Raises StackctlError for the first step that failed."""
        observed = self._observe()
        needs = self._needs(observed)
        if needs.pulls or needs.builds:
            from stackctl.local.image_work import ImageWork  # noqa: PLC0415 - seldom needed

            images, name = self._options.images, self._stack.name
            told = quieted(report, needs, images, stack_name=name)
            work = ImageWork(self._engine, self._environment, told)
            work.do(name, needs, self._stack.document.secrets)
            names = [image_of(self._stack.name, service) for service in self.services]
            observed = observed._replace(images=find_images(self._engine, names))
        plan = self._plan(observed)
        if self._options.plan.starts:
            self._tell_of_untouched(plan, observed, report)
        execute(plan, Actions(self._engine), report, at_once_max=self._options.at_once_max)
        return Foreseen(needs, plan, observed)

    def _tell_of_untouched(self, plan: Plan, observed: Observed, report: Report) -> None:
        """What is there already is said, so that nobody wonders whether anything was done."""
        chosen = {service.key for service in self.services}
        changed = {step.resource for step in plan.steps}
        for it in observed.containers:
            resource = f"Container {it.name}"
            if it.service not in chosen or it.is_one_off or not it.is_alive or resource in changed:
                continue
            if it.state == PAUSED:
                hint = f"stackctl unpause {it.service} lets it go on"
                report(Progress(resource, Phase.WARNING, "Paused", hint))
            else:
                report(Progress(resource, Phase.DONE, it.state.capitalize()))

    def _observe(self) -> Observed:
        images = [image_of(self._stack.name, service) for service in self.services]
        return observe(self._engine, self._stack.name, images=images)

    def _needs(self, observed: Observed) -> ImageNeeds:
        return image_needs(
            self._stack.name,
            self.services,
            observed.images,
            self._options.images,
            now=time.time(),
        )

    def _plan(self, observed: Observed) -> Plan:
        situation = Situation(
            self._stack.document,
            self._stack.origin,
            observed,
            self._engine.api_version,
            self._engine.endpoint.path,
            self._stack.switched_off,
        )
        return plan_up(situation, self._options.plan)
