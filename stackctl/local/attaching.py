"""A container's own input and output: `attach`, and `run` in the foreground."""

import queue
import signal
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import NamedTuple

from stackctl.errors import StackctlError
from stackctl.local.engine.client import Engine
from stackctl.local.engine.http import Answer
from stackctl.local.failures import EngineRefusal
from stackctl.local.streams.detach_keys import DetachKeys
from stackctl.local.streams.interaction import Show, Wiring, interact
from stackctl.local.streams.terminal_modes import (
    FORWARDED,
    Size,
    following_size,
    handling,
    raw_terminal,
)


class AttachOptions(NamedTuple):
    """How a container is attached to; `stdin` is a descriptor, None keeps the input away."""

    tty: bool
    show: Show
    stdin: int | None
    keys: DetachKeys
    forwards_signals: bool = True


def open_attachment(engine: Engine, container_id: str, *, has_input: bool) -> Answer:
    """The connection to a container, from now on; it may not have been started yet."""
    query = {"stream": True, "stdout": True, "stderr": True, "stdin": has_input}
    return engine.hijack(f"/containers/{container_id}/attach", query)


def follow_attachment(
    engine: Engine, container_id: str, answer: Answer, options: AttachOptions
) -> bool:
    """Carry bytes until the container ends; True if the user detached before.

    Signals reach the container unless a terminal sends it the keys themselves.
    """
    terminal = options.stdin if options.tty else None

    def resize(size: Size) -> None:
        query = {"h": size.rows, "w": size.columns}
        engine.post(f"/containers/{container_id}/resize", query=query)

    wiring = Wiring(options.tty, options.show, options.stdin, options.keys)
    with (
        _forwarding(engine, container_id) if options.forwards_signals else nullcontext(),
        raw_terminal(terminal),
        following_size(terminal, resize),
    ):
        return interact(answer, wiring)


def _forwarding(engine: Engine, container_id: str) -> AbstractContextManager[None]:
    def forward(number: int) -> None:
        # A container that has ended cannot be signalled: its end is being noticed elsewhere.
        with suppress(EngineRefusal):
            name = signal.Signals(number).name
            engine.post(f"/containers/{container_id}/kill", query={"signal": name})

    return handling(FORWARDED, forward)


def wait_for_first(engine: Engine, container_ids: Sequence[str]) -> int:
    """The exit code of the first of some containers to end."""
    ends: queue.SimpleQueue[int | StackctlError] = queue.SimpleQueue()

    def wait(container_id: str) -> None:
        try:
            ends.put(wait_for_end(engine, container_id))
        except StackctlError as error:
            ends.put(error)

    for container_id in container_ids:
        threading.Thread(target=wait, args=(container_id,), daemon=True).start()
    first = ends.get()
    if isinstance(first, StackctlError):
        raise first
    return first


def wait_for_end(engine: Engine, container_id: str) -> int:
    """The exit code of a container, once it has ended."""
    answer = engine.post(f"/containers/{container_id}/wait", timeout_seconds=None)
    return int(answer["StatusCode"])
