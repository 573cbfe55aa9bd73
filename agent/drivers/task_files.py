"""What tasks mount from the managers: configs as files on disk, secrets as files in memory."""

from collections.abc import Mapping

from agent.drivers.config_files import ConfigFiles
from agent.drivers.secret_files import SecretFiles
from stackctl.model.assignment import AssignmentSet, TaskAssignment
from stackctl.model.task_state import TaskState


class TaskFiles:
    """The files of all tasks of the node."""

    def __init__(self, *, configs: ConfigFiles, secrets: SecretFiles) -> None:
        self._configs = configs
        self._secrets = secrets

    def claim(self, assignment: AssignmentSet) -> None:
        """This is the newest assignment: what it does not need may go."""
        self._configs.claim(
            [
                *(config.id for config in assignment.configs),
                *(task.id for task in assignment.tasks if _is_told(task)),
            ]
        )
        self._secrets.claim(task.id for task in assignment.tasks if _needs_secrets(task))

    def write(self, task: TaskAssignment, assignment: AssignmentSet) -> Mapping[str, str]:
        """Make sure that a task's files are there; returns target in the container -> file.

        Raises DriverFailure.
        """
        return self._write(task, assignment, anew=False)

    def rewrite(self, task: TaskAssignment, assignment: AssignmentSet) -> None:
        """Put the present contents into the files of which a running task's process is told.

        Raises DriverFailure.
        """
        self._write(task, assignment, anew=True)

    def _write(
        self, task: TaskAssignment, assignment: AssignmentSet, *, anew: bool
    ) -> Mapping[str, str]:
        container = task.spec.container
        configs = {item.id: item for item in assignment.configs}
        secrets = {item.id: item for item in assignment.secrets}
        # By the task's own ids: another revision may mount another content of the same name.
        of_task = {name: configs[key] for name, key in task.config_ids.items() if key in configs}
        hidden = {name: secrets[key] for name, key in task.secret_ids.items() if key in secrets}
        return {
            **self._configs.write(task.id, container.configs, of_task),
            **self._secrets.write(task.id, container.secrets, hidden, anew=anew),
        }

    def remove_unclaimed(self) -> None:
        """Remove what the newest assignment does not need."""
        self._configs.remove_unclaimed()
        self._secrets.remove_unclaimed()


def _needs_secrets(task: TaskAssignment) -> bool:
    return bool(task.spec.container.secrets) and not _is_ending(task)


def _is_told(task: TaskAssignment) -> bool:
    references = task.spec.container.configs
    return any(reference.on_change for reference in references) and not _is_ending(task)


def _is_ending(task: TaskAssignment) -> bool:
    return task.desired_state >= TaskState.SHUTDOWN and task.may_stop
