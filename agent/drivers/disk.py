"""What the agent keeps on disk, each file replaced whole: a reader finds the old or the new one.

The assignment set is written through to the disk before it counts as held, because it is also the
fence against older sets. The task records are not: after a power loss no container of theirs runs,
and an older record only means that an ended task is looked at once more.

Secrets never get to the disk: the set is written without their contents.
"""

import contextlib
import logging
import os
import tempfile
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from agent.core.task_record import TaskRecord
from stackctl.model.assignment import AssignmentSet
from stackctl.wire import codec

T = TypeVar("T")

PRIVATE_FILE_MODE = 0o600
PRIVATE_FOLDER_MODE = 0o700

_log = logging.getLogger(__name__)


class AgentFolder:
    """The agent's own folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER_MODE)

    def read_assignment(self) -> AssignmentSet | None:
        """The last set that was written; None when there is none that can be read."""
        return self._read("assignment.bin", AssignmentSet)

    def write_assignment(self, assignment: AssignmentSet) -> None:
        """Keep the set but the contents of its secrets; on return it survives a power loss."""
        bare = replace(
            assignment,
            secrets=tuple(replace(secret, content=None) for secret in assignment.secrets),
        )
        write_whole(self._path / "assignment.bin", codec.pack(bare), durable=True)

    def read_records(self) -> tuple[TaskRecord, ...]:
        """The task records as last written."""
        return self._read("tasks.bin", tuple[TaskRecord, ...]) or ()

    def write_records(self, records: tuple[TaskRecord, ...]) -> None:
        """Keep the task records."""
        write_whole(self._path / "tasks.bin", codec.pack(records))

    def read_managers(self) -> tuple[str, ...]:
        """The managers' addresses as last heard from one of them."""
        return self._read("managers.json", tuple[str, ...], is_json=True) or ()

    def write_managers(self, managers: tuple[str, ...]) -> None:
        """Keep the managers' addresses."""
        write_whole(self._path / "managers.json", codec.to_json(managers))

    def _read(self, name: str, kind: type[T], *, is_json: bool = False) -> T | None:
        path = self._path / name
        try:
            content = path.read_bytes()
            return codec.from_json(content, kind) if is_json else codec.unpack(content, kind)
        except FileNotFoundError:
            return None
        except (codec.Undecodable, OSError) as error:
            # A manager sends the set again, and the engine shows what runs: going on without the
            # file loses less than not starting.
            _log.warning("%s is unreadable and ignored: %s", path, error)
            return None


def rewrite(path: Path, content: bytes) -> None:
    """Change a file that containers have mounted, in place: a mount stays with the file it was made
    of, and one that is put there instead would not be seen. Who reads meanwhile may see parts of
    both contents.
    """
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


def write_whole(
    path: Path, content: bytes, *, mode: int = PRIVATE_FILE_MODE, durable: bool = False
) -> None:
    """Replace a file in one step. `durable` waits until the disk has it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER_MODE)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fdatasync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
