"""`pre_start`: containers that run to their end, one after the other, before a service starts."""

import msgspec

from stackctl.compose.document import Service
from stackctl.local import labels
from stackctl.local.container_body import ContainerPlan, Making, container_plan
from stackctl.local.plan import RunHook, Step


def start_hook_steps(
    service: Service, starting: list[str], making: Making, needs: tuple[str, ...]
) -> tuple[Step, ...]:
    """The steps before the containers `starting` start; a step `per_replica` runs for each."""
    steps: list[Step] = []
    for index, hook in enumerate(service.pre_start, 1):
        targets = sorted(starting) if hook.per_replica else [making.origin.stack_name]
        for target in targets:
            name = f"{target}-{service.key}-pre-start-{index}"
            container = _container(name, service, index, making)
            before = (steps[-1].key,) if steps else needs
            steps.append(
                Step(
                    f"run {name}",
                    f"Container {name}",
                    RunHook(container),
                    f"{service.key} starts after it",
                    before,
                    ("Running", "Exited"),
                )
            )
    return tuple(steps)


def _container(name: str, service: Service, index: int, making: Making) -> ContainerPlan:
    """The service's container with the hook's own command, environment and user, and no ports."""
    hook = service.pre_start[index - 1]
    container = msgspec.structs.replace(
        service.container,
        image=hook.image or service.container.image,
        command=hook.command,
        entrypoint=None if hook.image else service.container.entrypoint,
        user=hook.user or service.container.user,
        working_dir=hook.working_dir or service.container.working_dir,
        privileged=hook.privileged or service.container.privileged,
        environment=_merged(service.container.environment, hook.environment),
        healthcheck=None,
    )
    alone = msgspec.structs.replace(
        service, container=container, ports=(), expose=(), container_name="", restart_word="no"
    )
    plan = container_plan(alone, index, making)
    body = plan.body
    body["HostConfig"]["RestartPolicy"] = {"Name": "no"}
    body["Labels"] = {**body["Labels"], labels.ONE_OFF: "True"}
    return plan._replace(name=name)


def _merged(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    found = {pair.partition("=")[0]: pair for pair in (*first, *second)}
    return tuple(found.values())
