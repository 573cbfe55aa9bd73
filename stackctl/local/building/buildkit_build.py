"""One build by the engine's BuildKit: the context goes in the request, all else in a session.

BuildKit would also fetch the context file by file in the session, which saves sending what it has
already. The request's body is taken instead: both builders then see the same files by the same
rules, and the engine's own stream of a context of a few megabytes costs less than the questions.
Only a Dockerfile that is not in its context makes it fetch both, as nothing hides it in a stream.
"""

import base64
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from urllib.parse import urlencode

from stackctl.errors import StackctlError
from stackctl.local.building.build_failures import build_failure, step_failure
from stackctl.local.building.build_progress import BuildProgress
from stackctl.local.building.build_request import (
    BuildFlags,
    BuildkitNames,
    ImageBuild,
    build_query,
)
from stackctl.local.building.build_session import BuildSession
from stackctl.local.building.dockerfile import BuildInput
from stackctl.local.building.lending import lent_agents, lent_secrets, unheeded_modes
from stackctl.local.credentials import Credentials
from stackctl.local.engine.client import Engine
from stackctl.local.engine.http import Request
from stackctl.local.image_transfer import json_messages

_TRACE, _IMAGE = "moby.buildkit.trace", "moby.image.id"
_CANCEL_TIMEOUT_SECONDS = 5.0


def build_with_buildkit(
    engine: Engine,
    wanted: ImageBuild,
    flags: BuildFlags,
    sent: BuildInput,
    *,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
) -> str:
    """Build an image; returns its id. Raises EngineRefusal, InputError, StepFailed.

    A build that is interrupted is cancelled at the engine, and its session ends.
    """
    secrets, agents = lent_secrets(wanted), lent_agents(wanted, environment)
    for key in unheeded_modes(wanted):
        on_line(
            f"warning: the owner and mode of secret {key} stand in RUN --mount=type=secret; "
            "those of the file are not used"
        )
    credentials = Credentials(environment)
    build_id = uuid.uuid4().hex
    build_session = BuildSession(
        engine, secrets=secrets, agents=agents, credentials=credentials, apart=sent.apart
    )
    with build_session as session:
        query = build_query(
            wanted,
            flags,
            dockerfile=sent.apart.name if sent.apart else sent.dockerfile,
            environment=environment,
            buildkit=BuildkitNames(session.id, build_id, fetches=sent.apart is not None),
        )
        request = Request(
            "POST",
            f"/build?{urlencode(query)}",
            None if sent.apart else sent.stream,
            "application/x-tar",
            timeout_seconds=None,
        )
        try:
            with engine.open(request) as answer:
                return _follow(answer.lines(), wanted, on_line)
        except KeyboardInterrupt:
            _cancel(engine, build_id)
            raise


def _cancel(engine: Engine, build_id: str) -> None:
    with suppress(StackctlError):  # an engine that is gone builds nothing
        engine.post(
            "/build/cancel", query={"id": build_id}, timeout_seconds=_CANCEL_TIMEOUT_SECONDS
        )


def _follow(lines: Iterable[bytes], wanted: ImageBuild, on_line: Callable[[str], None]) -> str:
    image_id = ""
    progress = BuildProgress()
    for message in json_messages(lines):
        if "error" in message:
            failed = progress.failed_step
            if failed is None:
                raise build_failure(wanted, str(message["error"]))
            raise step_failure(wanted, failed.name, failed.error, failed.last_lines)
        kind, aux = message.get("id"), message.get("aux")
        if kind == _TRACE and isinstance(aux, str):
            for line in _lines(progress, aux):
                on_line(line)
        elif kind == _IMAGE and isinstance(aux, dict):
            image_id = str(aux.get("ID", ""))
    if not image_id:
        raise build_failure(wanted, "the builder ended without an image")
    return image_id


def _lines(progress: BuildProgress, report: str) -> list[str]:
    try:
        return progress.take(base64.b64decode(report))
    except ValueError as error:
        # How the build ends is said elsewhere: a report that cannot be read must not end it.
        return [f"warning: a report of BuildKit cannot be read: {error}"]
