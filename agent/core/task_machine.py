"""One step of one task: from what is wanted and what is seen to a status and at most one action.

The caller loops: it takes a step, carries out the action, brings back the outcome and what the
engine shows then, and takes the next step. A step never waits: "later" is a time in the record,
returned as `wake_at`.

    wanted (READY, RUNNING)                                    no longer wanted (SHUTDOWN, REMOVE)
      no container    create, or pull first -> PREPARING         no container     -> SHUTDOWN
      created         connect networks      -> READY             created          remove -> SHUTDOWN
                      start when it is time -> STARTING          up               when may_stop:
      up              healthy, or no check  -> RUNNING                            signal, later kill
                      unhealthy: stop it    -> FAILED            ended            -> SHUTDOWN
      ended           -> COMPLETE or FAILED
      gone by hand    -> FAILED

The record is what the agent knows beyond the engine: the last status (observed states only grow),
whether a stop was asked for and when, and what to try again when. It is kept on disk, so that an
agent that starts anew neither restarts a task that has ended nor forgets what it was doing.
"""

import msgspec

from agent.core import container_config
from agent.core.actions import (
    Action,
    ConnectNetwork,
    CreateContainer,
    Done,
    ImageAbsent,
    Outcome,
    ProbeAnswer,
    ProbeHealth,
    PullImage,
    Refused,
    RemoveContainer,
    SignalContainer,
    StartContainer,
    TellContents,
    Unavailable,
)
from agent.core.image_wishes import wanted_pull
from agent.core.observed import Container, ContainerState, Health
from agent.core.task_record import TaskRecord
from stackctl.model.assignment import TaskAssignment
from stackctl.model.objects import TaskStatus
from stackctl.model.specs import PullPolicy
from stackctl.model.structs import Model
from stackctl.model.task_state import TaskState, is_active_wish, is_terminal

KILL_SIGNAL = "SIGKILL"
DEFAULT_STOP_SIGNAL = "SIGTERM"
KILL_AGAIN_SECONDS = 5.0
PROBE_PAUSE_MIN_SECONDS = 0.1
PROBE_PAUSE_MAX_SECONDS = 1.0
PROBE_PAUSE_GROWTH = 1.5
PROBE_TIMEOUT_DEFAULT_SECONDS = 30.0
RETRY_REMOVE_SECONDS = 5.0
RETRY_TELL_SECONDS = 1.0
TELL_AFTER_SECONDS = 1.0  # a process that has just begun may not listen to its signals yet

UNHEALTHY = "unhealthy container"
STOPPED_ELSEWHERE = "stopped by its engine or by hand, not by itself"
REMOVED_BY_HAND = "container was removed"


class Situation(Model, frozen=True, kw_only=True):
    """Everything a step looks at."""

    task: TaskAssignment
    record: TaskRecord
    container: Container | None
    now: float
    networks: tuple[container_config.TaskNetwork, ...] = ()
    waits_for: str = ""  # why its container cannot be created yet, in words
    held_back: str = ""  # why its container cannot be started yet, in words


class Step(Model, frozen=True, kw_only=True):
    """What a step comes to: the record after it, at most one action, when to look again."""

    record: TaskRecord
    action: Action | None = None
    wake_at: float | None = None


def first_record(task: TaskAssignment, *, now: float) -> TaskRecord:
    """The record of a task that this node has just been given."""
    status = TaskStatus(state=TaskState.ACCEPTED, at=now, message="accepted")
    return TaskRecord(task_id=task.id, status=status)


def step(situation: Situation) -> Step:
    """The next step of a task."""
    record, container = situation.record, situation.container
    if container is not None and record.container_id != container.id:
        record = msgspec.structs.replace(record, container_id=container.id)
        situation = msgspec.structs.replace(situation, record=record)
    if record.retry_at > situation.now:
        return Step(record=record, wake_at=record.retry_at)
    if is_terminal(record.status.state):
        return _after_the_end(situation)
    if not is_active_wish(situation.task.desired_state):
        return _shut_down(situation)
    if container is None:
        return _create(situation)
    if container.state is ContainerState.CREATED:
        return _start(situation, container)
    if container.is_up:
        return _watch(situation, container)
    if container.has_ended:
        return Step(record=_ended(situation, record, container))
    return Step(record=record)


def stray_step(record: TaskRecord, container: Container, *, now: float) -> Step:
    """The next step for a container of ours whose task this node no longer has."""
    if record.retry_at > now:
        return Step(record=record, wake_at=record.retry_at)
    if container.is_up:
        return _stop(record, container, now=now, cause="its task is no longer assigned here")
    if container.state is ContainerState.REMOVING:
        return Step(record=record)
    action = RemoveContainer(
        task_id=record.task_id,
        container_id=container.id,
        cause="its task is no longer assigned here",
    )
    return Step(record=record, action=action)


def with_outcome(record: TaskRecord, action: Action, outcome: Outcome, *, now: float) -> TaskRecord:
    """The record after an action came back."""
    if isinstance(outcome, Unavailable):
        return msgspec.structs.replace(record, retry_at=now + outcome.retry_after_seconds)
    match action:
        case CreateContainer():
            return _after_create(record, outcome, now)
        case PullImage():
            return with_pull(record, action.image, outcome, now=now)
        case ConnectNetwork():
            if isinstance(outcome, Refused):
                return _rejected(record, outcome.reason, now)
            return record
        case StartContainer():
            if isinstance(outcome, Refused):
                return _with_state(record, TaskState.FAILED, now, error=outcome.reason)
            pause = now + PROBE_PAUSE_MIN_SECONDS
            return msgspec.structs.replace(record, probe_at=pause, probes_failed=0)
        case ProbeHealth():
            return _after_probe(record, outcome, now)
        case SignalContainer():
            # A refused signal means that nothing runs there any longer; the next look shows it.
            # Noting the time all the same keeps it from being sent again at once.
            if action.signal == KILL_SIGNAL:
                return msgspec.structs.replace(
                    record, killed_at=now, signalled_at=record.signalled_at or now
                )
            return msgspec.structs.replace(record, signalled_at=now)
        case TellContents():
            if isinstance(outcome, Done):
                return msgspec.structs.replace(record, told=outcome.contents)
            return msgspec.structs.replace(record, retry_at=now + RETRY_TELL_SECONDS)
        case RemoveContainer():
            if isinstance(outcome, Refused):
                return msgspec.structs.replace(record, retry_at=now + RETRY_REMOVE_SECONDS)
            return msgspec.structs.replace(record, container_id="")


def with_pull(record: TaskRecord, image: str, outcome: Outcome, *, now: float) -> TaskRecord:
    """The record of a task that waited for this image to be pulled."""
    if isinstance(outcome, Unavailable):
        return msgspec.structs.replace(record, retry_at=now + outcome.retry_after_seconds)
    if isinstance(outcome, ImageAbsent):
        return _rejected(record, f"No such image: {image} ({outcome.reason})", now)
    if isinstance(outcome, Refused):
        return _rejected(record, f"cannot pull image {image}: {outcome.reason}", now)
    return msgspec.structs.replace(record, image_absent=False, image_pulled=True)


def _create(situation: Situation) -> Step:
    task, record = situation.task, situation.record
    if record.container_id:
        return Step(
            record=_with_state(record, TaskState.FAILED, situation.now, error=REMOVED_BY_HAND)
        )
    record = _with_state(record, TaskState.PREPARING, situation.now, message="preparing")
    if situation.waits_for:
        return Step(record=_with_error(record, situation.waits_for))
    record = _with_error(record, "")
    container = task.spec.container
    if record.image_absent and container.pull_policy is PullPolicy.NEVER:
        reason = f"No such image: {container.image}, and its pull policy is never"
        return Step(record=_rejected(record, reason, situation.now))
    pull = wanted_pull(task, record)
    if pull is not None:
        return Step(record=record, action=pull)
    cause = f"assigned to this node, desired {task.desired_state.name.lower()}"
    return Step(record=record, action=CreateContainer(task_id=task.id, cause=cause))


def _start(situation: Situation, container: Container) -> Step:
    task, now = situation.task, situation.now
    attached = set(container.networks)
    for network in situation.networks:
        if network.engine_name not in attached:
            connect = ConnectNetwork(
                task_id=task.id,
                container_id=container.id,
                network_id=network.network_id,
                cause="a network of its spec, not attached yet",
            )
            return Step(record=situation.record, action=connect)
    record = _with_state(situation.record, TaskState.READY, now, message="prepared")
    if task.desired_state < TaskState.RUNNING:
        return Step(record=record)
    if now < task.start_after:
        return Step(record=record, wake_at=task.start_after)
    if situation.held_back:
        return Step(record=_with_error(record, situation.held_back))
    record = _with_error(record, "")
    record = _with_state(record, TaskState.STARTING, now, message="starting")
    start = StartContainer(task_id=task.id, container_id=container.id, cause="desired running")
    return Step(record=record, action=start)


def _watch(situation: Situation, container: Container) -> Step:
    record, now = situation.record, situation.now
    if record.unhealthy or container.health is Health.UNHEALTHY:
        record = msgspec.structs.replace(record, unhealthy=True)
        return _stop(record, container, now=now, cause=UNHEALTHY)
    if container.health is Health.STARTING and record.status.state < TaskState.RUNNING:
        record = _with_state(record, TaskState.STARTING, now, message="starting")
        if now < record.probe_at:
            return Step(record=record, wake_at=record.probe_at)
        return Step(record=record, action=_probe(record, container))
    record = _with_state(
        record, TaskState.RUNNING, now, message="started", container_id=container.id
    )
    return _tell(situation, record, container)


def _tell(situation: Situation, record: TaskRecord, container: Container) -> Step:
    """Contents that have changed under a running process that wants to be told."""
    task, now = situation.task, situation.now
    if record.told == container_config.told_contents(task):
        return Step(record=record)
    due_at = record.status.at + TELL_AFTER_SECONDS
    if record.status.state != TaskState.RUNNING or now < due_at:
        return Step(record=record, wake_at=due_at)
    return Step(
        record=record,
        action=TellContents(
            task_id=task.id,
            container_id=container.id,
            signals=container_config.telling_signals(task, record.told),
            cause="the content of its files has changed",
        ),
    )


def _probe(record: TaskRecord, container: Container) -> ProbeHealth:
    return ProbeHealth(
        task_id=record.task_id,
        container_id=container.id,
        command=container.health_command,
        timeout_seconds=container.health_timeout_seconds or PROBE_TIMEOUT_DEFAULT_SECONDS,
        cause="started; the engine would look only after its interval",
    )


def _shut_down(situation: Situation) -> Step:
    task, record, now = situation.task, situation.record, situation.now
    container = situation.container
    if container is None:
        return Step(record=_with_state(record, TaskState.SHUTDOWN, now, message="shutdown"))
    if container.state is ContainerState.CREATED:
        remove = RemoveContainer(
            task_id=task.id,
            container_id=container.id,
            cause=f"never started, desired {task.desired_state.name.lower()}",
        )
        return Step(record=record, action=remove)
    if container.has_ended:
        was_asked = bool(record.signalled_at) or task.may_stop
        if was_asked and not record.unhealthy:
            return Step(
                record=_with_state(
                    record,
                    TaskState.SHUTDOWN,
                    now,
                    message="shutdown",
                    exit_code=container.exit_code,
                )
            )
        return Step(record=_ended(situation, record, container))
    if not container.is_up:
        return Step(record=record)
    if not task.may_stop:
        return _watch(situation, container)
    cause = f"desired {task.desired_state.name.lower()}"
    return _stop(
        record,
        container,
        now=now,
        cause=cause,
        grace_seconds=container_config.grace_seconds(task.spec.container),
    )


def _after_the_end(situation: Situation) -> Step:
    # A task is one attempt: a container that somebody started again by hand is stopped, because
    # nobody balances to it, restarts it or counts it any longer.
    container = situation.container
    if container is None or not container.is_up:
        return Step(record=situation.record)
    state = situation.record.status.state.name.lower()
    return _stop(
        situation.record, container, now=situation.now, cause=f"its task has ended ({state})"
    )


def _stop(
    record: TaskRecord,
    container: Container,
    *,
    now: float,
    cause: str,
    grace_seconds: float | None = None,
) -> Step:
    grace = container.stop_grace_seconds if grace_seconds is None else grace_seconds
    if not record.signalled_at and grace > 0:
        signal = container.stop_signal or DEFAULT_STOP_SIGNAL
        return Step(record=record, action=_signal(record, container, signal, cause))
    kill_at = record.signalled_at + grace
    if record.killed_at:
        kill_at = record.killed_at + KILL_AGAIN_SECONDS
    if now < kill_at:
        return Step(record=record, wake_at=kill_at)
    because = f"{cause}; still up {grace:g} s after its stop signal" if grace > 0 else cause
    return Step(record=record, action=_signal(record, container, KILL_SIGNAL, because))


def _signal(record: TaskRecord, container: Container, signal: str, cause: str) -> SignalContainer:
    return SignalContainer(
        task_id=record.task_id, container_id=container.id, signal=signal, cause=cause
    )


def _ended(situation: Situation, record: TaskRecord, container: Container) -> TaskRecord:
    """The record of a task whose container ended without being asked to."""
    code, now = container.exit_code, situation.now
    if record.unhealthy:
        return _with_state(record, TaskState.FAILED, now, error=UNHEALTHY, exit_code=code)
    if container.stopped_elsewhere and not container.oom_killed:
        record = _with_state(record, TaskState.FAILED, now, error=STOPPED_ELSEWHERE, exit_code=code)
        counts_as_lost = situation.task.spec.restart.replaces_lost
        status = msgspec.structs.replace(record.status, counts_as_lost=counts_as_lost)
        return msgspec.structs.replace(record, status=status)
    if code == 0:
        return _with_state(record, TaskState.COMPLETE, now, message="finished", exit_code=code)
    error = f"task: non-zero exit ({code})"
    if container.oom_killed:
        error += ": killed because it used more memory than its limit"
    elif container.error:
        error += f": {container.error}"
    return _with_state(record, TaskState.FAILED, now, error=error, exit_code=code)


def _after_create(record: TaskRecord, outcome: Outcome, now: float) -> TaskRecord:
    if isinstance(outcome, Done):
        status = msgspec.structs.replace(record.status, container_id=outcome.container_id)
        return msgspec.structs.replace(
            record, container_id=outcome.container_id, status=status, told=outcome.contents
        )
    if isinstance(outcome, ImageAbsent):
        if record.image_pulled:
            return _rejected(record, outcome.reason, now)
        return msgspec.structs.replace(record, image_absent=True)
    if isinstance(outcome, Refused):
        return _rejected(record, outcome.reason, now)
    return record


def _after_probe(record: TaskRecord, outcome: Outcome, now: float) -> TaskRecord:
    if isinstance(outcome, ProbeAnswer) and outcome.healthy:
        if is_terminal(record.status.state) or record.signalled_at:
            return record
        return _with_state(record, TaskState.RUNNING, now, message="started")
    pause = min(
        PROBE_PAUSE_MAX_SECONDS,
        PROBE_PAUSE_MIN_SECONDS * PROBE_PAUSE_GROWTH ** min(record.probes_failed, 20),
    )
    return msgspec.structs.replace(
        record, probes_failed=record.probes_failed + 1, probe_at=now + pause
    )


def _rejected(record: TaskRecord, reason: str, now: float) -> TaskRecord:
    return _with_state(record, TaskState.REJECTED, now, error=reason)


def _with_state(
    record: TaskRecord,
    state: TaskState,
    now: float,
    *,
    message: str = "",
    error: str = "",
    exit_code: int | None = None,
    container_id: str = "",
) -> TaskRecord:
    """The record with a later status; the same record when it is not later.

    A failure keeps the message of the step it happened in, as Swarm does: `message` says how far
    the task came, `error` why it did not get on.
    """
    if state <= record.status.state:
        return record
    status = TaskStatus(
        state=state,
        at=now,
        message=message or record.status.message,
        error=error,
        container_id=container_id or record.container_id,
        exit_code=exit_code,
    )
    return msgspec.structs.replace(record, status=status)


def _with_error(record: TaskRecord, error: str) -> TaskRecord:
    if record.status.error == error:
        return record
    status = msgspec.structs.replace(record.status, error=error)
    return msgspec.structs.replace(record, status=status)
