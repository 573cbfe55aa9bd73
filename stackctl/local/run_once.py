"""What `run` does: images, dependencies, one container, its streams, its end."""

import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Service
from stackctl.errors import InputError
from stackctl.local.actions import Actions
from stackctl.local.attaching import (
    AttachOptions,
    follow_attachment,
    open_attachment,
    wait_for_end,
)
from stackctl.local.container_body import Making
from stackctl.local.engine.client import Engine
from stackctl.local.exec_session import not_started
from stackctl.local.execute import execute
from stackctl.local.failures import EngineRefusal
from stackctl.local.image_needs import ImageFlags, image_needs, quieted
from stackctl.local.labels import SERVICE
from stackctl.local.names import image_of
from stackctl.local.observed import Observed
from stackctl.local.observing import find_images, list_containers, observe
from stackctl.local.one_off import OneOffOptions, one_off_plan
from stackctl.local.plan import (
    Await,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    Plan,
    StartContainer,
    Step,
)
from stackctl.local.progress import Report
from stackctl.local.reconcile import PlanOptions, Recreate, Situation, chosen_services, plan_up
from stackctl.local.stack_files import Stack


class RunOptions(NamedTuple):
    """What comes before the container."""

    images: ImageFlags = ImageFlags()
    with_dependencies: bool = True
    removes_orphans: bool = False


class Run:
    """One command of one service."""

    def __init__(
        self,
        engine: Engine,
        stack: Stack,
        service_key: str,
        options: RunOptions,
        environment: Mapping[str, str],
    ) -> None:
        (service,) = stack.chosen([service_key])
        if service.provider is not None:
            raise InputError(f"service {service_key} has a provider: there is no container to run")
        self._engine = engine
        self._stack = stack
        self._service: Service = service
        self._environment = environment
        self._images = options.images
        self._plan_options = PlanOptions(
            services=(service_key,),
            with_dependencies=options.with_dependencies,
            recreate=Recreate.NEVER,
            removes_orphans=options.removes_orphans,
            ignores_orphans=not options.removes_orphans,
        )

    def prepare(self, options: OneOffOptions, report: Report) -> str:
        """Make the container, after all that it needs; returns its name. Raises StackctlError."""
        services = chosen_services(self._stack.document, self._plan_options)
        observed = self._with_images(services, report)
        situation = Situation(
            self._stack.document,
            self._stack.origin,
            observed,
            self._engine.api_version,
            self._engine.endpoint.path,
            self._stack.switched_off,
        )
        actions = Actions(self._engine)
        execute(self._without_own(plan_up(situation, self._plan_options)), actions, report)
        if self._plan_options.with_dependencies:
            execute(self._awaits(), actions, report)
        image = observed.images.get(image_of(self._stack.name, self._service))
        making = Making(
            self._stack.document,
            self._stack.origin,
            self._engine.api_version,
            image_id=image.id if image else "",
            engine_socket=self._engine.endpoint.path,
        )
        made = one_off_plan(self._service, making, options, slug=secrets.token_hex(32))
        create = CreateContainer(made, platform=self._service.container.platform)
        step = Step(
            f"create {made.name}",
            f"Container {made.name}",
            create,
            "it was asked for",
            (),
            ("Creating", "Created"),
        )
        execute(Plan((step,)), actions, report)
        return made.name

    def start(self, name: str) -> None:
        """Start the container and leave it. Raises ExecFailed."""
        try:
            self._engine.post(f"/containers/{name}/start", timeout_seconds=None)
        except EngineRefusal as refusal:
            self.remove(name)
            raise not_started(refusal) from refusal

    def start_attached(self, name: str, options: AttachOptions) -> int | None:
        """Start the container on these streams; its exit code, None if the user left it running."""
        answer = open_attachment(self._engine, name, has_input=options.stdin is not None)
        with answer:
            self.start(name)
            if follow_attachment(self._engine, name, answer, options):
                return None
        return wait_for_end(self._engine, name)

    def remove(self, name: str) -> None:
        """Remove the container with its anonymous volumes."""
        with suppress(EngineRefusal):
            self._engine.delete(f"/containers/{name}", {"v": True, "force": True})

    def _with_images(self, services: tuple[Service, ...], report: Report) -> Observed:
        names = [image_of(self._stack.name, service) for service in services]
        observed = observe(self._engine, self._stack.name, images=names)
        needs = image_needs(
            self._stack.name, services, observed.images, self._images, now=time.time()
        )
        if not (needs.pulls or needs.builds):
            return observed
        from stackctl.local.image_work import ImageWork  # noqa: PLC0415 - seldom needed

        told = quieted(report, needs, self._images, stack_name=self._stack.name)
        work = ImageWork(self._engine, self._environment, told)
        work.do(self._stack.name, needs, self._stack.document.secrets)
        return observed._replace(images=find_images(self._engine, names))

    def _without_own(self, plan: Plan) -> Plan:
        """What others need: the service's own containers are as they were before."""
        dependencies = {
            service.key
            for service in chosen_services(self._stack.document, self._plan_options)
            if service.key != self._service.key
        }

        def concerns_others(step: Step) -> bool:
            action = step.action
            if isinstance(action, CreateNetwork | CreateVolume):
                return True
            if isinstance(action, CreateContainer):
                return action.container.body["Labels"][SERVICE] in dependencies
            if isinstance(action, StartContainer | Await):
                return action.service in dependencies
            return self._plan_options.removes_orphans

        return Plan(tuple(step for step in plan.steps if concerns_others(step)), plan.warnings)

    def _awaits(self) -> Plan:
        containers = list_containers(self._engine, self._stack.name)
        steps = []
        for dependency in dependencies_of(self._service):
            names = tuple(
                it.name for it in containers if it.service == dependency.key and not it.is_one_off
            )
            if names:
                action = Await(
                    dependency.key, names, dependency.condition, is_required=dependency.required
                )
                cause = f"{self._service.key} depends on {dependency.key}"
                resource = f"Service {dependency.key}"
                steps.append(Step(f"await {dependency.key}", resource, action, cause))
        return Plan(tuple(steps))
