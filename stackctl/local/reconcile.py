"""From what the files say and what is there to a plan: pure.

For each service in dependency order, its containers are compared with what the file says; what is
equal stays as it is. New containers are made beside each other, and start in the order of the
dependencies. A container that is replaced is made under another name first, so that a service whose
new container cannot be made goes on as it is.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from stackctl.compose.contents import with_dependencies
from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Document, Service
from stackctl.compose.parts.relations import Condition, Dependency
from stackctl.errors import InputError
from stackctl.local import names
from stackctl.local.container_body import Making, container_plan
from stackctl.local.container_files import inherited_volumes
from stackctl.local.differences import replacement_cause
from stackctl.local.labels import Origin
from stackctl.local.observed import Container, Observed
from stackctl.local.order import in_start_order
from stackctl.local.plan import (
    Await,
    CreateContainer,
    Plan,
    RemoveContainer,
    RenameContainer,
    StartContainer,
    Step,
    StopContainer,
)
from stackctl.local.resource_steps import ResourceSteps, resource_steps
from stackctl.local.start_hooks import start_hook_steps


class Recreate(StrEnum):
    """Which containers are replaced."""

    CHANGED = "changed"
    ALWAYS = "always"
    NEVER = "never"


class PlanOptions(NamedTuple):
    """What a user asked for beside the files. `services` are keys, () is all."""

    services: tuple[str, ...] = ()
    with_dependencies: bool = True
    recreate: Recreate = Recreate.CHANGED
    recreate_dependencies: Recreate = Recreate.CHANGED
    renews_volumes: bool = False
    removes_orphans: bool = False
    ignores_orphans: bool = False
    replaces_volumes: bool = False  # whose settings changed; their data is lost
    takes_everything: bool = False  # also networks and volumes that no service uses
    starts: bool = True
    scale: Mapping[str, int] = {}
    stop_timeout_seconds: int | None = None


class Situation(NamedTuple):
    """What a plan is made from."""

    document: Document
    origin: Origin
    observed: Observed
    api_version: tuple[int, int]
    engine_socket: str = ""
    switched_off: tuple[str, ...] = ()  # services of the files whose profiles are off


def plan_up(situation: Situation, options: PlanOptions) -> Plan:
    """What brings the stack to what its files say.

    Raises InputError for an external object that is not there, PermanentFailure for what the engine
    is too old for.
    """
    return _Planner(situation, options).plan()


def chosen_services(document: Document, options: PlanOptions) -> tuple[Service, ...]:
    """The services that are looked at, dependencies first."""
    by_key = {service.key: service for service in document.services}
    wanted = list(options.services or by_key)
    if options.with_dependencies:
        wanted = list(with_dependencies(document, wanted))
    return in_start_order(document, wanted)


def wanted_count(service: Service, scale: Mapping[str, int]) -> int:
    """How many containers a service has; one where a cluster has one on each node.

    Raises InputError when two would have one name.
    """
    count = 1 if service.deploy.mode.is_global else service.deploy.replicas
    count = scale.get(service.key, count)
    if count > 1 and service.container_name:
        raise InputError(
            f"service {service.key} has the container_name {service.container_name}, which only one"
            f" container can have, and not {count}",
            hint="remove container_name, or scale it to 1",
        )
    return count


class _Planner:
    def __init__(self, situation: Situation, options: PlanOptions) -> None:
        self._situation = situation
        self._options = options
        self._document = situation.document
        self._stack_name = situation.origin.stack_name
        self._observed = situation.observed
        self._switched_off = frozenset(situation.switched_off)
        self._services = chosen_services(self._document, options)
        self._resources = ResourceSteps()
        self._steps: list[Step] = []
        self._replaced: set[str] = set()  # services of which a container is replaced
        self._started: dict[str, list[str]] = {}  # service -> keys of its last steps
        self._containers: dict[str, list[str]] = {}  # service -> names it will have
        self._awaited: set[str] = set()

    def plan(self) -> Plan:
        self._resources = resource_steps(
            self._document,
            self._stack_name,
            self._observed,
            self._services,
            replaces_volumes=self._options.replaces_volumes,
            takes_everything=self._options.takes_everything,
        )
        gone = self._resources.removed_containers
        left = tuple(it for it in self._observed.containers if it.name not in gone)
        self._observed = self._observed._replace(containers=left)
        self._steps.extend(self._resources.steps)
        self._remove_orphans()
        for service in self._services:
            self._service(service)
        return Plan(tuple(self._steps), (*self._resources.warnings, *self._orphan_warnings()))

    def _service(self, service: Service) -> None:
        existing = self._observed.of_service(service.key)
        count = wanted_count(service, self._options.scale)
        causes = {it.name: self._cause(service, it) for it in existing}
        kept, surplus = _split(existing, causes, count)
        for container in surplus:
            self._removal(container, "is more than are wanted", service)
        free = (
            number
            for number in range(1, len(kept) + count + 1)
            if number not in {it.number for it in kept}
        )
        made: list[tuple[str, str]] = []  # name, and the step after which it may start
        to_start: list[Container] = []
        names_after = [it.name for it in kept]
        for container in kept:
            if cause := causes[container.name]:
                self._replaced.add(service.key)
                made.append(self._replacement(service, container, cause))
            elif (right_name := self._right_name(service, container)) != container.name:
                made.append((right_name, self._rename_step(container, right_name, surplus)))
            elif not container.is_alive:
                to_start.append(container)
            elif self._is_restarted_with_a_dependency(service):
                self._stop_step(service, container, "what it depends on is replaced")
                to_start.append(container)
        for _ in range(count - len(kept)):
            name, step = self._creation(service, next(free))
            made.append((name, step))
            names_after.append(name)
        self._containers[service.key] = names_after
        if self._options.starts:
            self._starts(service, made, to_start)

    def _cause(self, service: Service, container: Container) -> str:
        """Why a container has to be replaced, "" when not."""
        is_named = not self._options.services or service.key in self._options.services
        mode = self._options.recreate if is_named else self._options.recreate_dependencies
        if mode is Recreate.NEVER:
            return ""
        if mode is Recreate.ALWAYS:
            return "it was asked for"
        return replacement_cause(
            service,
            container,
            document=self._document,
            stack_name=self._stack_name,
            observed=self._observed,
            replaced=self._replaced,
            new_networks=self._resources.replaced_networks,
        )

    def _making(self, service: Service, inherited: Mapping[str, str]) -> Making:
        image = self._observed.images.get(names.image_of(self._stack_name, service))
        return Making(
            self._document,
            self._situation.origin,
            self._situation.api_version,
            image_id=image.id if image else "",
            inherited=inherited,
            engine_socket=self._situation.engine_socket,
        )

    def _creation(self, service: Service, number: int) -> tuple[str, str]:
        container = container_plan(service, number, self._making(service, {}))
        step = Step(
            f"create {container.name}",
            f"Container {container.name}",
            CreateContainer(container, platform=service.container.platform),
            "is not there yet",
            needs=(*self._resources.needs(service), *self._parents(service)),
            shows=("Creating", "Created"),
        )
        self._steps.append(step)
        return container.name, step.key

    def _replacement(self, service: Service, old: Container, cause: str) -> tuple[str, str]:
        inherited: Mapping[str, str] = {}
        if not self._options.renews_volumes:
            image = self._observed.images.get(names.image_of(self._stack_name, service))
            volumes = frozenset(image.volumes if image else ())
            inherited = inherited_volumes(service, old, volumes)
        container = container_plan(service, old.number, self._making(service, inherited))
        resource = f"Container {container.name}"
        temporary = f"{old.id[:12]}_{container.name}"
        create = Step(
            f"create {container.name}",
            resource,
            CreateContainer(container, temporary, service.container.platform),
            cause,
            needs=(*self._resources.needs(service), *self._parents(service)),
            shows=("Recreate",),
        )
        self._steps.append(create)
        before = [create.key]
        if old.is_alive:
            needs = (create.key, *self._stops_of_dependents(service))
            before.append(self._stop_step(service, old, cause, needs=needs, shows=()))
        remove = Step(
            f"remove {old.name}",
            resource,
            RemoveContainer(old.name),
            cause,
            needs=tuple(before),
        )
        rename = Step(
            f"rename {container.name}",
            resource,
            RenameContainer(temporary, container.name),
            cause,
            needs=(remove.key,),
            shows=("", "Recreated"),
        )
        self._steps += [remove, rename]
        return container.name, rename.key

    def _right_name(self, service: Service, container: Container) -> str:
        """The container's name without what it had in front while it replaced another."""
        name = names.container_name(self._stack_name, service, container.number)
        is_left_over = container.name.partition("_")[2] == name
        return name if is_left_over else container.name

    def _rename_step(self, container: Container, name: str, removed: list[Container]) -> str:
        """An earlier plan was interrupted before its last step."""
        step = Step(
            f"rename {name}",
            f"Container {name}",
            RenameContainer(container.name, name),
            "it replaced another one, and has not got its name yet",
            needs=tuple(f"remove {it.name}" for it in removed if it.name == name),
            shows=("", "Renamed"),
        )
        self._steps.append(step)
        return step.key

    def _removal(self, container: Container, cause: str, service: Service | None) -> None:
        resource = f"Container {container.name}"
        hooks = service.pre_stop if service else ()
        timeout = self._options.stop_timeout_seconds
        needs: tuple[str, ...] = ()
        if container.is_alive:
            action = StopContainer(container.name, timeout, hooks)
            key = f"stop {container.name}"
            self._steps.append(Step(key, resource, action, cause, shows=("Stopping", "Stopped")))
            needs = (key,)
        self._steps.append(
            Step(
                f"remove {container.name}",
                resource,
                RemoveContainer(container.name),
                cause,
                needs,
                ("Removing", "Removed"),
            )
        )

    def _parents(self, service: Service) -> Iterable[str]:
        """Steps after which a container may be made that shares a namespace or volumes."""
        for dependency in dependencies_of(service):
            if dependency.implied_by:
                yield from self._started.get(dependency.key, ())

    def _is_restarted_with_a_dependency(self, service: Service) -> bool:
        return any(it.restart and it.key in self._replaced for it in dependencies_of(service))

    def _stops_of_dependents(self, service: Service) -> tuple[str, ...]:
        """Dependents with `restart: true` stop before what they depend on is replaced."""
        found: list[str] = []
        for other in self._services:
            if not any(it.restart and it.key == service.key for it in dependencies_of(other)):
                continue
            staying = (it for it in self._observed.of_service(other.key) if it.is_alive)
            found.extend(
                self._stop_step(other, it, f"{service.key} is replaced")
                for it in staying
                if not self._cause(other, it)
            )
        return tuple(found)

    def _stop_step(
        self,
        service: Service,
        container: Container,
        cause: str,
        *,
        needs: tuple[str, ...] = (),
        shows: tuple[str, ...] = ("Stopping", "Stopped"),
    ) -> str:
        """The key of the one step that stops a container: a network may have asked for it first."""
        key = f"stop {container.name}"
        if all(step.key != key for step in self._steps):
            action = StopContainer(
                container.name, self._options.stop_timeout_seconds, service.pre_stop
            )
            resource = f"Container {container.name}"
            self._steps.append(Step(key, resource, action, cause, needs, shows))
        return key

    def _starts(
        self, service: Service, made: list[tuple[str, str]], stopped: list[Container]
    ) -> None:
        starting = [(it.name, "") for it in stopped] + made
        if not starting:
            for dependency in dependencies_of(service):
                if dependency.key in self._started:  # it runs again, and how that ends is asked
                    self._condition(dependency)
            return
        own_needs = {step.key for step in self._steps}
        conditions = self._conditions(service)
        creations = tuple(step for _, step in made)
        hooks = start_hook_steps(
            service,
            [name for name, _ in starting],
            self._making(service, {}),
            (*conditions, *self._resources.needs(service), *creations),
        )
        self._steps.extend(hooks)
        before = (*conditions, *(step.key for step in hooks))
        previous: tuple[str, ...] = ()
        keys = self._started.setdefault(service.key, [])
        for name, step in sorted(starting):
            stop = f"stop {name}"
            own = [key for key in (step or stop,) if key in own_needs]
            key = f"start {name}"
            self._steps.append(
                Step(
                    key,
                    f"Container {name}",
                    StartContainer(name, service.key, service.post_start),
                    "it was just made" if step else "it does not run",
                    needs=(*own, *before, *previous),
                    shows=("Starting", "Started"),
                )
            )
            # One after the other, so that ranges of published ports are given out in order.
            previous = (key,) if service.ports else ()
            keys.append(key)

    def _conditions(self, service: Service) -> tuple[str, ...]:
        needs: list[str] = []
        for dependency in dependencies_of(service):
            needs += self._condition(dependency)
        return tuple(needs)

    def _condition(self, dependency: Dependency) -> list[str]:
        started = self._started.get(dependency.key, [])
        if dependency.condition is Condition.STARTED or not self._options.with_dependencies:
            return list(started)
        key = f"await {dependency.key} {dependency.condition.value}"
        if dependency.key not in self._containers:
            return []
        if key in self._awaited:
            return [key]
        containers = tuple(self._containers[dependency.key])
        if not started and self._is_met(dependency):
            return []
        self._awaited.add(key)
        done = "Healthy" if dependency.condition is Condition.HEALTHY else "Exited"
        self._steps.append(
            Step(
                key,
                f"Container {', '.join(containers)}",
                Await(dependency.key, containers, dependency.condition, dependency.required),
                f"services depend on {dependency.key}",
                needs=tuple(started),
                shows=("Waiting", done),
            )
        )
        return [key]

    def _is_met(self, dependency: Dependency) -> bool:
        found = self._observed.of_service(dependency.key)
        if dependency.condition is Condition.HEALTHY:
            return all(it.health == "healthy" for it in found)
        return all(it.state == "exited" and it.exit_code == 0 for it in found)

    def _orphans(self) -> tuple[Container, ...]:
        known = {service.key for service in self._document.services} | self._switched_off
        return tuple(
            it for it in self._observed.containers if it.service not in known and not it.is_one_off
        )

    def _remove_orphans(self) -> None:
        if self._options.removes_orphans:
            for container in self._orphans():
                self._removal(container, f"the file has no service {container.service}", None)

    def _orphan_warnings(self) -> tuple[str, ...]:
        orphans = self._orphans()
        if not orphans or self._options.removes_orphans or self._options.ignores_orphans:
            return ()
        listed = ", ".join(it.name for it in orphans)
        them = "it" if len(orphans) == 1 else "them"
        warning = f"the file has no service for {listed} of this stack"
        return (f"{warning}; --remove-orphans removes {them}",)


def _split(
    existing: tuple[Container, ...], causes: Mapping[str, str], count: int
) -> tuple[list[Container], list[Container]]:
    """The containers that stay, and those that are more than `count`: changed ones go first, then
    those of the highest numbers."""
    by_worth = sorted(existing, key=lambda it: (bool(causes[it.name]), it.number))
    kept = sorted(by_worth[:count], key=lambda it: it.number)
    return kept, by_worth[count:]
