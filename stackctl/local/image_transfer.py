"""Pulling and pushing images: the engine does it, with the user's credentials, and reports.

The engine answers 200 before it begins; what goes wrong then is a line of the answer.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from stackctl.errors import Denied
from stackctl.local.credentials import Credentials
from stackctl.local.engine.client import Engine
from stackctl.local.failures import EngineRefusal, EngineUnavailable, StepFailed

_REFUSALS = ("denied", "unauthorized", "authentication required", "no basic auth credentials")


class TransferStep(NamedTuple):
    """What became of one layer; bytes are 0 where they are not known."""

    layer: str  # "" is the image as a whole
    text: str
    done_bytes: int = 0
    all_bytes: int = 0


OnStep = Callable[[TransferStep], None]


class ImageName(NamedTuple):
    """A reference in two parts; `tag` may be a digest."""

    name: str
    tag: str


def split_reference(reference: str) -> ImageName:
    """`latest` where neither tag nor digest is said; a digest wins over a tag."""
    name, at, digest = reference.partition("@")
    colon = name.rfind(":")
    tag = ""
    if colon > name.rfind("/"):
        name, tag = name[:colon], name[colon + 1 :]
    return ImageName(name, digest if at else tag or "latest")


def pull_image(
    engine: Engine,
    credentials: Credentials,
    reference: str,
    *,
    platform: str = "",
    on_step: OnStep = lambda _: None,
) -> None:
    """Let the engine fetch an image. Raises StepFailed, Denied."""
    name, tag = split_reference(reference)
    query = {"fromImage": name, "tag": tag, "platform": platform or None}
    headers = credentials.for_image(reference)
    failure = f"cannot pull {reference}"
    try:
        with engine.stream("POST", "/images/create", query, headers=headers) as answer:
            for step in transfer_steps(answer.lines(), failure):
                on_step(step)
    except EngineRefusal as refusal:
        raise transfer_failure(failure, refusal.message) from refusal


def push_image(
    engine: Engine,
    credentials: Credentials,
    reference: str,
    *,
    on_step: OnStep = lambda _: None,
) -> None:
    """Let the engine send an image to its registry. Raises as `pull_image` does."""
    name, tag = split_reference(reference)
    headers = credentials.for_image(reference)
    path = f"/images/{name}/push"
    failure = f"cannot push {reference}"
    try:
        with engine.stream("POST", path, {"tag": tag}, headers=headers) as answer:
            for step in transfer_steps(answer.lines(), failure):
                on_step(step)
    except EngineRefusal as refusal:
        raise transfer_failure(failure, refusal.message) from refusal


def transfer_steps(lines: Iterable[bytes], failure: str) -> Iterator[TransferStep]:
    """The lines of an answer. Raises StepFailed or Denied, `failure` and the engine's words."""
    for message in json_messages(lines):
        if "error" in message:
            raise transfer_failure(failure, str(message["error"]))
        if "status" not in message:
            continue
        detail = message.get("progressDetail") or {}
        yield TransferStep(
            str(message.get("id", "")),
            str(message["status"]),
            int(detail.get("current") or 0),
            int(detail.get("total") or 0),
        )


def json_messages(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Objects, one a line, as engines send them while they work. Raises EngineUnavailable."""
    for line in lines:
        if line.strip():
            try:
                message = json.loads(line)
            except ValueError as error:
                raise EngineUnavailable("the engine's answer broke off in a line") from error
            if isinstance(message, dict):
                yield message


def transfer_failure(failure: str, words: str) -> StepFailed | Denied:
    """The engine's words as an error that says what to do."""
    lowered = words.lower()
    if any(mark in lowered for mark in _REFUSALS):
        return Denied(f"{failure}: {words}", hint="docker login REGISTRY, or look at the name")
    if "connection refused" in lowered or "no such host" in lowered:
        return StepFailed(f"{failure}: {words}", hint="is the registry up, and its name right?")
    if "no space left" in lowered:
        return StepFailed(f"{failure}: {words}", hint="docker system prune makes room")
    return StepFailed(f"{failure}: {words}")
