"""What BuildKit may ask of who builds: secrets, credentials for registries, whether we live.

Terms of BuildKit: a secret has an id, which `RUN --mount=type=secret,id=...` names; a registry is
named by its host. The numbers are those of the fields in BuildKit's definitions.
"""

from collections.abc import Callable, Mapping

from stackctl.local.building.grpc_connection import Call, CallRefused, Handler, Status
from stackctl.local.building.protobuf import Message, encode
from stackctl.local.credentials import Credentials

_SERVING = 1
# The host of the public registry's API, and the name under which `docker login` keeps it.
_HUB_HOST, _HUB_NAME = "registry-1.docker.io", "docker.io"


def build_services(secrets: Mapping[str, bytes], credentials: Credentials) -> dict[str, Handler]:
    """Handlers by the paths of their methods."""
    return {
        "/grpc.health.v1.Health/Check": _unary(lambda _: encode((1, _SERVING))),
        "/moby.buildkit.secrets.v1.Secrets/GetSecret": _unary(
            lambda request: _secret(secrets, request.text(1))
        ),
        "/moby.filesync.v1.Auth/Credentials": _unary(
            lambda request: _login(credentials, request.text(1))
        ),
    }


def _unary(answer: Callable[[Message], bytes]) -> Handler:
    """A handler of one question and one answer."""

    def handle(call: Call) -> None:
        request = call.receive()
        if request is not None:
            call.send(answer(Message(request)))

    return handle


def _secret(secrets: Mapping[str, bytes], name: str) -> bytes:
    if name not in secrets:
        raise CallRefused(Status.NOT_FOUND, f"build.secrets does not name {name}")
    return encode((1, secrets[name]))


def _login(credentials: Credentials, host: str) -> bytes:
    found = credentials.of_registry(_HUB_NAME if host == _HUB_HOST else host)
    entry = {key.lower(): str(value) for key, value in found.items() if value}
    if token := entry.get("identitytoken"):
        return encode((2, token))
    return encode((1, entry.get("username", "")), (2, entry.get("password", "")))
