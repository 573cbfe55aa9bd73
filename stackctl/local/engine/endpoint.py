"""Where the engine is: `DOCKER_HOST`, a context of the docker program, or the usual socket.

The order is that of the docker program: `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context of its
configuration, then `/var/run/docker.sock`. TLS is used when `DOCKER_TLS_VERIFY` or a context says
so.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stackctl.errors import InputError, UnknownName

DEFAULT_SOCKET = "/var/run/docker.sock"
_TLS_PORT, _PLAIN_PORT = 2376, 2375
_DEFAULT_CONTEXT = "default"


class Endpoint(NamedTuple):
    """A unix socket's `path`, or a `host` and `port`; `tls` is the folder of the certificates."""

    path: str = ""
    host: str = ""
    port: int = _PLAIN_PORT
    tls: str | None = None  # ca.pem, cert.pem, key.pem
    verifies: bool = True

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.path else f"tcp://{self.host}:{self.port}"


def find_endpoint(environment: Mapping[str, str]) -> Endpoint:
    """The engine that the docker program would speak to. Raises InputError, UnknownName."""
    if address := environment.get("DOCKER_HOST"):
        return parse_endpoint(address, tls=_tls_of_environment(environment))
    folder = _configuration_folder(environment)
    name = environment.get("DOCKER_CONTEXT") or _current_context(folder)
    if name in ("", _DEFAULT_CONTEXT):
        return Endpoint(path=DEFAULT_SOCKET)
    return _of_context(folder, name)


def parse_endpoint(address: str, *, tls: str | None = None, verifies: bool = True) -> Endpoint:
    """The endpoint in `unix:///path`, `tcp://host:port` or `https://host:port`.

    Raises InputError.
    """
    scheme, separator, rest = address.partition("://")
    if separator and scheme == "unix" and rest.startswith("/"):
        return Endpoint(path=rest)
    if not separator or scheme not in ("tcp", "http", "https"):
        raise InputError(
            f"{address!r} is no address of an engine that can be used here",
            hint="DOCKER_HOST is unix:///PATH or tcp://HOST:PORT",
        )
    host, port = _split(rest.rstrip("/"), _PLAIN_PORT if tls is None else _TLS_PORT)
    if not host or not 0 < port < 65536:
        raise InputError(f"{address!r} has no host and port")
    return Endpoint(host=host, port=port, tls=tls, verifies=verifies)


def _split(text: str, usual: int) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not host:
        host, port = port, ""
    return host.strip("[]"), int(port) if port.isdigit() else (0 if port else usual)


def _tls_of_environment(environment: Mapping[str, str]) -> str | None:
    if not environment.get("DOCKER_TLS_VERIFY"):
        return None
    return environment.get("DOCKER_CERT_PATH") or str(_configuration_folder(environment))


def _configuration_folder(environment: Mapping[str, str]) -> Path:
    given = environment.get("DOCKER_CONFIG")
    return Path(given) if given else Path(environment.get("HOME", "/")) / ".docker"


def _current_context(folder: Path) -> str:
    name = _read_json(folder / "config.json").get("currentContext", "")
    return name if isinstance(name, str) else ""


def _of_context(folder: Path, name: str) -> Endpoint:
    key = hashlib.sha256(name.encode()).hexdigest()
    described = _read_json(folder / "contexts" / "meta" / key / "meta.json")
    endpoints = described.get("Endpoints")
    engine = endpoints.get("docker") if isinstance(endpoints, dict) else None
    if not isinstance(engine, dict) or not engine.get("Host"):
        raise UnknownName("context of docker", name)
    certificates = folder / "contexts" / "tls" / key / "docker"
    return parse_endpoint(
        str(engine["Host"]),
        tls=str(certificates) if certificates.is_dir() else None,
        verifies=not engine.get("SkipTLSVerify"),
    )


def _read_json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}") from error
    return found if isinstance(found, dict) else {}
