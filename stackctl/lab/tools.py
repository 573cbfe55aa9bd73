"""The machine's own programs (`ip`, `mount`, `nft` …): run, bounded in time, failures in words."""

import os
import shutil
import subprocess

from stackctl.errors import StackctlError

_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
_NOT_INHERITED = ("DOCKER_", "NOTIFY_SOCKET")


class LabFailure(StackctlError):
    """The lab could not do something that this machine should have allowed."""


def environment() -> dict[str, str]:
    """The environment of every program: system folders found, no engine preselected.

    `sudo` and `su` often leave /usr/sbin out of PATH, which is where dockerd, ip and nft are.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)
    }
    folders = [folder for folder in os.environ.get("PATH", "").split(":") if folder]
    folders += [folder for folder in _SYSTEM_FOLDERS if folder not in folders]
    return {**inherited, "PATH": ":".join(folders)}


def find(program: str) -> str | None:
    """The full path of `program`, or None where it is not installed."""
    return shutil.which(program, path=environment()["PATH"])


def run(*command: str, stdin: str | None = None, timeout_seconds: float = 20) -> str:
    """Run `command` to its end and return what it printed.

    Raises `LabFailure` with the program's own words when it fails or takes too long.
    """
    ended = _finish(command, stdin, timeout_seconds)
    if ended.returncode != 0:
        words = (ended.stderr or ended.stdout).strip() or f"exit status {ended.returncode}"
        raise LabFailure(f"{' '.join(command)}: {words}")
    return ended.stdout


def succeeds(*command: str, stdin: str | None = None, timeout_seconds: float = 20) -> bool:
    """Whether `command` ends with status zero; what it printed is dropped."""
    return _finish(command, stdin, timeout_seconds).returncode == 0


def _finish(
    command: tuple[str, ...], stdin: str | None, timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            env=environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabFailure(f"{' '.join(command)} did not end within {timeout_seconds:g} s") from error
    except OSError as error:
        raise LabFailure(f"{command[0]} cannot be run: {error.strerror}") from error
