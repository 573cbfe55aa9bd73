"""What a build is lent by the one who builds: secrets of the file, and ssh agents."""

import stat
from collections.abc import Mapping
from pathlib import Path

from stackctl.errors import InputError
from stackctl.local.building.build_request import ImageBuild

_SECRETS_FOLDER = "/run/secrets/"
_AGENT_VARIABLE = "SSH_AUTH_SOCK"
_DEFAULTS = ("0", "0", 0o444)


def lent_secrets(wanted: ImageBuild) -> dict[str, bytes]:
    """Contents by the ids under which a Dockerfile may ask for them. Raises InputError.

    The id is the name that the build gives a secret as its target; the secret's key holds as well.
    """
    found: dict[str, bytes] = {}
    for use in wanted.build.secrets:
        secret = wanted.secrets.get(use.key)
        if secret is None or secret.data is None:
            raise InputError(
                f"cannot build service {wanted.service_key}: the content of its secret {use.key} "
                "is not known here",
                hint="a build's secret has file: or environment:",
            )
        found[use.key] = secret.data
        found[use.target.removeprefix(_SECRETS_FOLDER)] = secret.data
    return found


def unheeded_modes(wanted: ImageBuild) -> tuple[str, ...]:
    """The secrets with an owner or a mode: BuildKit knows those of the mount alone."""
    return tuple(
        use.key for use in wanted.build.secrets if (use.uid, use.gid, use.mode) != _DEFAULTS
    )


def lent_agents(wanted: ImageBuild, environment: Mapping[str, str]) -> dict[str, str]:
    """Paths of the sockets of ssh agents, by the ids of a Dockerfile. Raises InputError."""
    return {
        name: _agent(wanted.service_key, name, given or environment.get(_AGENT_VARIABLE, ""))
        for name, given in wanted.build.ssh.items()
    }


def _agent(service: str, name: str, path: str) -> str:
    failure = f"cannot build service {service}: ssh {name}"
    if not path:
        raise InputError(
            f"{failure} needs an agent, and {_AGENT_VARIABLE} names none",
            hint='eval "$(ssh-agent)" && ssh-add',
        )
    try:
        is_socket = stat.S_ISSOCK(Path(path).stat().st_mode)
    except OSError as error:
        raise InputError(f"{failure}: {path}: {error.strerror}") from error
    if not is_socket:
        raise InputError(
            f"{failure}: {path} is no agent's socket, and keys are taken from agents only",
            hint=f"ssh-add {path}, and write default",
        )
    return path
