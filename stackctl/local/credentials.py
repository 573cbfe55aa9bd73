"""Credentials for registries: those of `docker login`, from config.json and its helper programs.

The one module of single-host work that uses the docker library: how config.json, its stores and
its helpers hang together is long, changes, and is kept up there. It costs 300 ms to import, so it
is used only where config.json holds credentials at all.
"""

import base64
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from stackctl.errors import Denied, InputError

_KEYS = ("auths", "credsStore", "credHelpers")


class Credentials:
    """What `docker login` left for this user."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        given = environment.get("DOCKER_CONFIG")
        folder = Path(given) if given else Path(environment.get("HOME", "/")) / ".docker"
        self._path = folder / "config.json"
        self._environment = dict(environment)

    def for_image(self, image: str) -> Mapping[str, str]:
        """The headers with which the engine may pull or push an image. Raises Denied, InputError.

        Without credentials the header is there nevertheless: older engines refuse to push without.
        """
        return {"X-Registry-Auth": _encoded(self.of_image(image))}

    def of_image(self, image: str) -> dict[str, Any]:
        """What is known for the registry of an image; empty is nothing."""
        if self._configuration is None:
            return {}
        import docker.auth  # noqa: PLC0415 - see above

        registry, _ = docker.auth.resolve_repository_name(image)
        return self._resolved(registry)

    def of_registry(self, registry: str) -> dict[str, Any]:
        """What is known for a registry by its host name; empty is nothing."""
        if self._configuration is None:
            return {}
        return self._resolved(registry)

    def for_builds(self) -> Mapping[str, str]:
        """The headers with which a builder may pull from any registry. Raises Denied."""
        if self._configuration is None:
            return {}
        import docker.errors  # noqa: PLC0415 - see above

        try:
            found = self._configuration.get_all_credentials()
        except docker.errors.DockerException as error:
            raise self._refused(error) from error
        known = {name: entry for name, entry in found.items() if entry}
        return {"X-Registry-Config": _encoded(known)} if known else {}

    def _resolved(self, registry: str) -> dict[str, Any]:
        import docker.errors  # noqa: PLC0415 - see above

        try:
            return self._configuration.resolve_authconfig(registry) or {}
        except docker.errors.DockerException as error:
            raise self._refused(error) from error

    @cached_property
    def _configuration(self) -> Any:
        """None where there is nothing to know."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"{self._path} cannot be used: {error}") from error
        if not isinstance(content, dict) or not any(content.get(key) for key in _KEYS):
            return None
        import docker.auth  # noqa: PLC0415 - see above
        import docker.errors  # noqa: PLC0415 - see above

        try:
            return docker.auth.load_config(
                config_path=str(self._path), credstore_env=self._environment
            )
        except docker.errors.DockerException as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> Denied:
        return Denied(
            f"the credentials of {self._path} cannot be had: {error}",
            hint="docker login writes them anew",
        )


def _encoded(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
