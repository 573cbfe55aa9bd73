"""Storage that cannot be trusted: the one error of the files below the replicated log.

A member that lost something it once acknowledged must not go on as if nothing had happened: its
vote could elect a leader that lacks committed entries. So damage refuses to start, with the steps.
"""

from pathlib import Path

from stackctl.errors import StackctlError


class StorageDamaged(StackctlError):
    """A file of the replicated log is damaged, missing, or belongs to another node."""


def damaged(path: Path, why: str, *, hint: str | None = None) -> StorageDamaged:
    """The error for the file `path`, with the steps that bring the manager back."""
    return StorageDamaged(f"{path} cannot be used: {why}", hint=hint or recovery_steps(path.parent))


def recovery_steps(directory: Path) -> str:
    """What to do, depending on whether other managers still have the state."""
    return (
        f"if other managers work: remove this node there ('stackctl node rm'), then let it join "
        f"again as a new one ('stackctl join-token manager' prints how); it fetches everything "
        f"from the leader. If this is the only manager: restore {directory} from a backup; where "
        f"only {directory}/snapshot is damaged, 'mv {directory}/snapshot.previous "
        f"{directory}/snapshot' loses nothing, because the journal reaches back to it"
    )
