"""`pre_start` in a cluster: each step is a replicated job of its own, and who has steps waits.

    STACK_web-pre-start-1  ─completed─>  STACK_web-pre-start-2  ─completed─>  STACK_web

Compose runs a step in a container of its own when the containers of its service are made anew, and
not when there are to be more of them. A job runs once for each revision of its own, so a label with
a digest of the service's tasks gives it a new revision whenever they are replaced, also where the
step has another image. Whatever the service waits for, its steps wait for, too.

A step is the service's container without its entrypoint, health check, names and ports. It reserves
nothing: the tasks that it is to be followed by hold their room while it runs.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from stackctl.compose.document import Service
from stackctl.compose.grammar.names import full_name
from stackctl.compose.parts.lifecycle import StartHook
from stackctl.model import specs

STEPS_MAX = 50  # of one service
DIGEST_LABEL = "stackctl.pre-start.digest"
ATTEMPTS_MAX = 3  # restarts of a step that fails, one after another without a rest for long


def step_key(service_key: str, number: int) -> str:
    """What the file would call the service of a step; numbers begin with 1."""
    return f"{service_key}-pre-start-{number}"


def with_steps(
    service: Service, spec: specs.ServiceSpec, stack_name: str
) -> Iterator[specs.ServiceSpec]:
    """The jobs of the service's steps in their order, then the service, which waits for them."""
    wanted = _digest(spec)
    previous: tuple[specs.Dependency, ...] = ()
    for number, hook in enumerate(service.pre_start, start=1):
        key = step_key(service.key, number)
        name = full_name(stack_name, key)
        yield specs.ServiceSpec(
            name=name,
            task=_task(spec.task, hook, key=key, digest=wanted),
            labels=spec.labels,
            mode=specs.Mode.REPLICATED_JOB,
            depends_on=_sorted((*spec.depends_on, *previous)),
        )
        completed = specs.DependencyCondition.COMPLETED
        previous = (specs.Dependency(service=name, condition=completed),)
    yield msgspec.structs.replace(spec, depends_on=_sorted((*spec.depends_on, *previous)))


def _task(service: specs.TaskSpec, hook: StartHook, *, key: str, digest: str) -> specs.TaskSpec:
    restart = specs.RestartPolicy(
        condition=specs.RestartCondition.ON_FAILURE, attempts_max=ATTEMPTS_MAX
    )
    return msgspec.structs.replace(
        service,
        container=_container(service.container, hook, digest=digest),
        reservations=specs.Resources(),
        restart=restart,
        networks=tuple(
            msgspec.structs.replace(attachment, aliases=(key,)) for attachment in service.networks
        ),
    )


def _container(
    service: specs.ContainerSpec, hook: StartHook, *, digest: str
) -> specs.ContainerSpec:
    return msgspec.structs.replace(
        service,
        image=hook.image or service.image,
        entrypoint=None,
        command=hook.command,
        user=hook.user or service.user,
        privileged=hook.privileged,
        working_dir=hook.working_dir or service.working_dir,
        environment=_environment(service.environment, hook.environment),
        labels=dict(sorted({**service.labels, DIGEST_LABEL: digest}.items())),
        healthcheck=specs.Healthcheck(test=("NONE",)),
    )


def _environment(service: tuple[str, ...], step: tuple[str, ...]) -> tuple[str, ...]:
    """Both, the step's own first where they name the same variable."""
    values = dict(entry.split("=", 1) for entry in (*service, *step))
    return tuple(sorted(f"{name}={value}" for name, value in values.items()))


def _digest(spec: specs.ServiceSpec) -> str:
    """Stands for everything whose change replaces tasks of the service; contents of configs and
    secrets are the cluster's to compare, and those of a step are its service's.
    """
    replaced_for = msgspec.structs.replace(
        spec.task, restart=specs.RestartPolicy(), placement=specs.Placement()
    )
    host_ports = [port for port in spec.ports if port.mode is specs.PortMode.HOST]
    encoded = msgspec.json.encode((replaced_for, host_ports), order="deterministic")
    return hashlib.sha256(encoded).hexdigest()[:16]


def _sorted(dependencies: tuple[specs.Dependency, ...]) -> tuple[specs.Dependency, ...]:
    return tuple(sorted(dependencies, key=lambda it: it.service))
