"""One build by the engine's classic builder.

It answers with lines of text; what fails is the last line of the answer, beside the output of the
step that failed, which is what people need to see.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlencode

from stackctl.local.building.build_failures import build_failure
from stackctl.local.building.build_request import BuildFlags, ImageBuild, build_query
from stackctl.local.building.dockerfile import BuildInput
from stackctl.local.credentials import Credentials
from stackctl.local.engine.client import Engine
from stackctl.local.engine.http import Request
from stackctl.local.image_transfer import json_messages

_LINES_SHOWN_MAX = 10
# The builder paints each piece of stderr red, also where nobody has a terminal.
_STDERR_BEGINS, _STDERR_ENDS = "\x1b[91m", "\x1b[0m"


def build_classically(
    engine: Engine,
    wanted: ImageBuild,
    flags: BuildFlags,
    sent: BuildInput,
    *,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
) -> str:
    """Build an image; returns its id. Raises EngineRefusal, StepFailed."""
    query = build_query(wanted, flags, dockerfile=sent.dockerfile, environment=environment)
    request = Request(
        "POST",
        f"/build?{urlencode(query)}",
        sent.stream,
        "application/x-tar",
        Credentials(environment).for_builds(),
        timeout_seconds=None,
    )
    with engine.open(request) as answer:
        return _follow(answer.lines(), wanted, on_line)


def _follow(lines: Iterable[bytes], wanted: ImageBuild, on_line: Callable[[str], None]) -> str:
    image_id = ""
    pending = ""
    last = deque[str](maxlen=_LINES_SHOWN_MAX)
    for message in json_messages(lines):
        if "error" in message:
            raise build_failure(wanted, str(message["error"]), last)
        if (aux := message.get("aux")) and "ID" in aux:
            image_id = str(aux["ID"])
        *whole, pending = (pending + _text_of(message)).split("\n")
        for line in whole:
            if line.strip():
                last.append(line)
                on_line(line)
    if not image_id:
        raise build_failure(wanted, "the builder ended without an image", last)
    return image_id


def _text_of(message: Mapping[str, object]) -> str:
    if "stream" in message:
        text = str(message["stream"])
        if text.startswith(_STDERR_BEGINS) and text.endswith(_STDERR_ENDS):
            text = text.removeprefix(_STDERR_BEGINS).removesuffix(_STDERR_ENDS)
        return text.replace("\r\n", "\n").replace("\r", "\n")
    # Pulling a base image reports each layer many times: only the image's own lines are of use.
    if "status" in message and not message.get("progressDetail"):
        name = f"{message['id']}: " if message.get("id") else ""
        return f"{name}{message['status']}\n"
    return ""
