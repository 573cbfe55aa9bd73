"""A session with BuildKit: the connection on which it asks us for what a build needs.

The engine is asked to turn a request into a connection (`POST /session`), and calls us on it from
then on. The session has an id, which the build names; it ends with the build.
"""

import hashlib
import os
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from stackctl.local.building.agent_forwarding import agent_services
from stackctl.local.building.dockerfile import ApartDockerfile
from stackctl.local.building.folder_sync import folder_services
from stackctl.local.building.grpc_connection import GrpcConnection
from stackctl.local.building.session_services import build_services
from stackctl.local.credentials import Credentials
from stackctl.local.engine.client import Engine
from stackctl.local.engine.http import Request
from stackctl.local.failures import EngineUnavailable

_SWITCHED = 101
_PIECE_BYTES = 64 * 1024


class BuildSession:
    """To be used as a context around one build."""

    def __init__(
        self,
        engine: Engine,
        *,
        secrets: Mapping[str, bytes],
        agents: Mapping[str, str],
        credentials: Credentials,
        apart: ApartDockerfile | None = None,
    ) -> None:
        """`secrets` by their ids; `agents` are paths of sockets of ssh agents by their ids.

        What is `apart` is fetched in the session, with its context.
        """
        self.id = uuid.uuid4().hex
        self._engine = engine
        self._services = build_services(secrets, credentials)
        if agents:
            self._services |= agent_services(agents)
        self._shared_key = ""
        if apart is not None:
            self._services |= folder_services(apart)
            # BuildKit keeps a folder that it has fetched, and next time asks for what has changed.
            self._shared_key = hashlib.sha256(os.fsencode(apart.folder.resolve())).hexdigest()
        self._served: GrpcConnection | None = None

    def __enter__(self) -> Self:
        """Raises EngineRefusal, EngineUnavailable."""
        headers: dict[str, str | tuple[str, ...]] = {
            "X-Docker-Expose-Session-Uuid": self.id,
            "X-Docker-Expose-Session-Name": "stackctl",
            "X-Docker-Expose-Session-Sharedkey": self._shared_key,
            "X-Docker-Expose-Session-Grpc-Method": tuple(self._services),
        }
        request = Request("POST", "/session", headers=headers, upgrades=True, protocol="h2c")
        answer = self._engine.open(request)
        if answer.status != _SWITCHED:
            answer.close()
            raise EngineUnavailable("the engine opened no session for the build")
        connection, stream = answer.take_over()
        # gRPC's caller speaks first, and what it said may have come with the engine's answer.
        try:
            received = stream.read1(_PIECE_BYTES)  # type: ignore[attr-defined]  # of a buffered one
        except OSError as error:
            answer.close()
            raise EngineUnavailable(f"the session of the build broke off: {error}") from error
        stream.close()
        self._served = GrpcConnection(connection, self._services, received=received)
        self._served.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._served is not None:
            self._served.close()
