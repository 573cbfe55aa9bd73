"""Builds one image on the engine: sends the context, follows the builder's output.

The classic builder answers with lines of text; what fails is the last line of the answer, beside
the output of the step that failed, which is what people need to see.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlencode

from stackctl.compose.problems import ComposeProblems
from stackctl.local.building.build_request import (
    BuildFlags,
    ImageBuild,
    build_query,
    refusals,
)
from stackctl.local.building.dockerfile import build_input
from stackctl.local.credentials import Credentials
from stackctl.local.engine.client import Engine
from stackctl.local.engine.http import Request
from stackctl.local.failures import EngineRefusal, StepFailed
from stackctl.local.image_transfer import json_messages

_LINES_SHOWN_MAX = 10

OnLine = Callable[[str], None]


def build_image(
    engine: Engine,
    wanted: ImageBuild,
    flags: BuildFlags,
    *,
    environment: Mapping[str, str],
    on_line: OnLine = lambda _: None,
) -> str:
    """Build an image under its names; returns its id.

    Raises ComposeProblems for keys that the builder cannot honour, InputError for a context that is
    not there, StepFailed with the last lines of a build that failed.
    """
    if found := refusals(wanted):
        raise ComposeProblems(found)
    sent = build_input(wanted.build, owner=wanted.service_key)
    query = build_query(wanted, flags, dockerfile=sent.dockerfile, environment=environment)
    request = Request(
        "POST",
        f"/build?{urlencode(query)}",
        sent.stream,
        "application/x-tar",
        Credentials(environment).for_builds(),
        timeout_seconds=None,
    )
    try:
        with engine.open(request) as answer:
            return _follow(answer.lines(), wanted, on_line)
    except EngineRefusal as refusal:
        raise StepFailed(
            f"cannot build service {wanted.service_key}: {refusal.message}", hint=refusal.hint
        ) from refusal


def _follow(lines: Iterable[bytes], wanted: ImageBuild, on_line: OnLine) -> str:
    image_id = ""
    pending = ""
    last = deque[str](maxlen=_LINES_SHOWN_MAX)
    for message in json_messages(lines):
        if "error" in message:
            raise _failure(wanted, str(message["error"]), last)
        if (aux := message.get("aux")) and "ID" in aux:
            image_id = str(aux["ID"])
        *whole, pending = (pending + _text_of(message)).split("\n")
        for line in whole:
            if line.strip():
                last.append(line)
                on_line(line)
    if not image_id:
        raise _failure(wanted, "the builder ended without an image", last)
    return image_id


def _text_of(message: Mapping[str, object]) -> str:
    if "stream" in message:
        return str(message["stream"]).replace("\r\n", "\n").replace("\r", "\n")
    # Pulling a base image reports each layer many times: only the image's own lines are of use.
    if "status" in message and not message.get("progressDetail"):
        name = f"{message['id']}: " if message.get("id") else ""
        return f"{name}{message['status']}\n"
    return ""


def _failure(wanted: ImageBuild, words: str, last: Iterable[str]) -> StepFailed:
    hint = None
    if "no space left" in words:
        hint = "docker system prune makes room"
    elif "pull access denied" in words or "unauthorized" in words:
        hint = "docker login REGISTRY, or look at the name after FROM"
    return StepFailed(
        f"cannot build service {wanted.service_key}: {words.strip()}",
        hint=hint,
        details="\n".join(f"  {line}" for line in last),
    )
