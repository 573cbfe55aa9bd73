"""Revisions of a service: which change of its spec replaces tasks, and what a rollback restores.

A revision is a number for one task spec (with the config contents it uses). Tasks remember their
revision; a service keeps the task specs of every revision that a task or a rollback still needs.
Restart policy and placement may change without replacing a task: the first is only read when a task
ends, the second is enforced on running tasks one by one. Swarm replaces on a changed restart
policy; we do not, because nothing in the container would differ.
"""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.model.objects import UpdateState, UpdateStatus
from stackctl.model.task_state import TaskState
from stackctl.state import contents
from stackctl.state.contents import ContentIds

DYNAMIC_PORTS = range(30000, 32768)  # numbers for ports that state none, as in Swarm
MOVING_STATES = {UpdateState.UPDATING, UpdateState.ROLLBACK_STARTED}
FORCED_PATH = "task.force_update"
PAUSED_STATES = {UpdateState.PAUSED, UpdateState.ROLLBACK_PAUSED}


def needs_new_tasks(
    old: specs.ServiceSpec,
    new: specs.ServiceSpec,
    *,
    old_contents: ContentIds,
    new_contents: ContentIds,
) -> bool:
    """True when tasks of the old spec are not what the new one asks for."""
    return (
        _container_part(old.task) != _container_part(new.task)
        or old_contents != new_contents
        or host_ports(old) != host_ports(new)
    )


def carries_over(service: objects.Service, task: objects.Task) -> bool:
    """True when a running task gets to the service's present revision by other contents alone, of
    all of which its process is told by a signal (`ConfigReference.on_change`).
    """
    old = service.task_specs.get(task.revision)
    new = service.task_specs.get(service.revision)
    if old is None or new is None or task.revision == service.revision:
        return False
    if not task.is_wanted or task.status.state != TaskState.RUNNING:
        return False
    if _container_part(old) != _container_part(new) or not _has_ports(service.spec, task):
        return False
    before = contents.ids_of_revision(service, task.revision)
    after = contents.ids_of_revision(service, service.revision)
    container = new.container
    return all(
        reference.on_change or old_ids.get(reference.name) == new_ids.get(reference.name)
        for references, old_ids, new_ids in (
            (container.configs, before.configs, after.configs),
            (container.secrets, before.secrets, after.secrets),
        )
        for reference in references
    )


def _has_ports(spec: specs.ServiceSpec, task: objects.Task) -> bool:
    """True when the task publishes on its node what the spec asks for."""
    wanted = host_ports(spec)
    return len(wanted) == len(task.host_ports) and all(
        any(
            held == replace(port, published=held.published)
            and port.published in (0, held.published)
            for held in task.host_ports
        )
        for port in wanted
    )


def host_ports(spec: specs.ServiceSpec) -> tuple[specs.PortSpec, ...]:
    """The ports that are published on the task's own node."""
    return tuple(port for port in spec.ports if port.mode == specs.PortMode.HOST)


def created(
    spec: specs.ServiceSpec,
    *,
    service_id: str,
    stack_name: str,
    mounted: ContentIds = contents.NOTHING,
    now: float,
) -> objects.Service:
    """A service in its first revision; its creation is no update and has no update status."""
    return objects.Service(
        id=service_id,
        spec=spec,
        task_specs={1: spec.task},
        config_ids={1: mounted.configs},
        secret_ids={1: mounted.secrets},
        stack_name=stack_name,
        created_at=now,
        updated_at=now,
    )


def updated(
    service: objects.Service,
    spec: specs.ServiceSpec,
    *,
    mounted: ContentIds = contents.NOTHING,
    now: float,
    version: int,
    is_forced: bool = False,
) -> objects.Service:
    """The service with another spec; an equal spec gives the service unchanged.

    A change that needs new tasks starts a rolling update; a job runs again. The previous spec is
    kept for a rollback, and an unchanged deploy leaves it alone (Swarm loses it then). A paused
    update goes on when its spec is deployed again: that is how an operator says that the cause has
    been mended. `is_forced` asks for new tasks even though nothing else has changed.
    """
    spec = _with_force(service, spec, is_forced=is_forced)
    held = contents.ids_of_revision(service, service.revision)
    replaces_tasks = needs_new_tasks(service.spec, spec, old_contents=held, new_contents=mounted)
    if not replaces_tasks:
        return _with_small_change(service, spec, now=now, version=version)
    revision = service.revision_last + 1
    return replace(
        service,
        spec=spec,
        endpoint=_trimmed(service.endpoint, spec),
        revision=revision,
        revision_last=revision,
        task_specs={**service.task_specs, revision: spec.task},
        config_ids={**service.config_ids, revision: mounted.configs},
        secret_ids={**service.secret_ids, revision: mounted.secrets},
        previous_spec=service.spec,
        previous_revision=service.revision,
        update_status=None if spec.mode.is_job else _started(now=now, version=version),
        held_reason="",
        held_for_good=False,
        updated_at=now,
    )


def cleared(service: objects.Service) -> objects.Service:
    """The service, whose current revision may start."""
    return replace(service, cleared_revision=service.revision, held_reason="", held_for_good=False)


def _with_force(
    service: objects.Service, spec: specs.ServiceSpec, *, is_forced: bool
) -> specs.ServiceSpec:
    """The spec with the count of forced replacements, which files do not state and which never goes
    back: deploying the file again must not replace anything again.
    """
    count = max(spec.task.force_update, service.spec.task.force_update) + is_forced
    return replace(spec, task=replace(spec.task, force_update=count))


def _with_small_change(
    service: objects.Service, spec: specs.ServiceSpec, *, now: float, version: int
) -> objects.Service:
    """A change that replaces no task. While an update is unfinished, a rollback must still lead to
    what ran before that update, not to the failing spec with another number of replicas.
    """
    status = service.update_status
    if status is not None and status.state in PAUSED_STATES:
        service = replace(service, update_status=_resumed(status, now=now, version=version))
    if spec == service.spec:
        return service
    if not service.is_held:
        # It runs already: what it depends on from now on is asked of its next revision.
        service = cleared(service)
    is_unfinished = status is not None and status.state in MOVING_STATES | PAUSED_STATES
    previous_spec = service.previous_spec if is_unfinished else service.spec
    previous_revision = service.previous_revision if is_unfinished else service.revision
    return replace(
        service,
        spec=spec,
        endpoint=_trimmed(service.endpoint, spec),
        task_specs={**service.task_specs, service.revision: spec.task},
        previous_spec=previous_spec,
        previous_revision=previous_revision,
        updated_at=now,
    )


def _trimmed(endpoint: objects.Endpoint, spec: specs.ServiceSpec) -> objects.Endpoint:
    """The endpoint without ports that the spec no longer publishes: they are free at once, also
    for another service of the same deploy. A number that was asked for is not kept by a port that
    now leaves the choice to us.
    """
    kept = tuple(
        held
        for held in endpoint.ports
        if held in spec.ports
        or (held.published in DYNAMIC_PORTS and replace(held, published=0) in spec.ports)
    )
    return endpoint if kept == endpoint.ports else replace(endpoint, ports=kept)


def _started(*, now: float, version: int) -> UpdateStatus:
    return UpdateStatus(
        state=UpdateState.UPDATING,
        started_at=now,
        started_version=version,
        message="update in progress",
    )


def _resumed(status: UpdateStatus, *, now: float, version: int) -> UpdateStatus:
    if status.state == UpdateState.PAUSED:
        return _started(now=now, version=version)
    return UpdateStatus(
        state=UpdateState.ROLLBACK_STARTED,
        started_at=now,
        started_version=version,
        message="rollback in progress",
    )


def rolled_back(
    service: objects.Service, *, now: float, version: int, message: str, swap: bool
) -> objects.Service:
    """The service with its previous spec.

    `swap` keeps the present spec as the previous one, which is what a manual rollback does (doing
    it twice toggles); a rollback by failure action has nothing to return to. The revision is the
    one the previous spec had, so slots that the failed update never touched are already right. It
    has run before, and waits for no dependency. A job runs again, under a number of its own.
    """
    if service.previous_spec is None:
        return service
    revision = service.previous_revision
    mounted = contents.ids_of_revision(service, revision)
    is_job = service.spec.mode.is_job
    if is_job and revision != service.revision:
        revision = service.revision_last + 1
    return replace(
        cleared(service),
        spec=service.previous_spec,
        endpoint=_trimmed(service.endpoint, service.previous_spec),
        revision=revision,
        revision_last=max(revision, service.revision_last),
        cleared_revision=revision,
        task_specs={**service.task_specs, revision: service.previous_spec.task},
        config_ids={**service.config_ids, revision: mounted.configs},
        secret_ids={**service.secret_ids, revision: mounted.secrets},
        previous_spec=service.spec if swap else None,
        previous_revision=service.revision if swap else 0,
        update_status=None
        if is_job
        else UpdateStatus(
            state=UpdateState.ROLLBACK_STARTED,
            started_at=now,
            started_version=version,
            message=message,
        ),
        updated_at=now,
    )


def _container_part(task: specs.TaskSpec) -> specs.TaskSpec:
    return replace(task, restart=specs.RestartPolicy(), placement=specs.Placement())


def describe_change(old: objects.Service, new: objects.Service) -> str:
    """Which fields of the spec differ, in words: `task.container.image; replicas`."""
    paths = list(_differing_paths(old.spec, new.spec))
    if paths == [FORCED_PATH]:
        return "asked to run again"
    before = contents.ids_of_revision(old, old.revision)
    after = contents.ids_of_revision(new, new.revision)
    for kind, old_ids, new_ids in (
        (contents.CONFIG, before.configs, after.configs),
        (contents.SECRET, before.secrets, after.secrets),
    ):
        paths += [
            f"content of {kind} {name}"
            for name, content_id in sorted(new_ids.items())
            if name in old_ids and old_ids[name] != content_id
        ]
    if not paths:
        return "the paused update goes on"
    return "; ".join(paths) + " changed"


def _differing_paths(old: object, new: object, prefix: str = "") -> Iterator[str]:
    if isinstance(old, msgspec.Struct) and type(old) is type(new):
        for field in old.__struct_fields__:
            path = f"{prefix}.{field}" if prefix else field
            yield from _differing_paths(getattr(old, field), getattr(new, field), path)
    elif old != new:
        yield prefix
