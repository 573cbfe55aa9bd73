"""The user's terminal while a container has it: raw, of the right size, and given back after."""

import os
import signal
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from stackctl.local.failures import EngineRefusal, EngineUnavailable

# What `docker run` passes on: everything a person or a supervisor sends to end or steer a program.
FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)

Handler = Callable[[int], None]


class Size(NamedTuple):
    """Of a terminal, in characters."""

    columns: int
    rows: int


def is_terminal(descriptor: int | None) -> bool:
    """Whether a descriptor is a terminal; there is none for None."""
    return descriptor is not None and os.isatty(descriptor)


def size_of(descriptor: int) -> Size | None:
    """The size of a terminal; None where it has none."""
    try:
        found = os.get_terminal_size(descriptor)
    except OSError:
        return None
    return Size(found.columns, found.lines) if found.columns and found.lines else None


@contextmanager
def raw_terminal(descriptor: int | None) -> Iterator[None]:
    """Hand every key to the container as it is typed; without a terminal nothing is done."""
    if descriptor is None or not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def following_size(descriptor: int | None, resize: Callable[[Size], None]) -> Iterator[None]:
    """Tell `resize` the size of a terminal, now and whenever it changes."""
    if descriptor is None or not os.isatty(descriptor):
        yield
        return

    def tell() -> None:
        size = size_of(descriptor)
        if size is None:
            return
        try:
            resize(size)
        except (EngineRefusal, EngineUnavailable):
            return  # it has ended meanwhile, which others notice

    tell()
    with handling([signal.SIGWINCH], lambda _: tell()):
        yield


@contextmanager
def handling(signals: Sequence[signal.Signals], handler: Handler) -> Iterator[None]:
    """Let `handler` have signals; those of before are restored. Only in the main thread."""
    before: list[tuple[signal.Signals, Any]] = [
        (number, signal.signal(number, lambda got, _frame: handler(got))) for number in signals
    ]
    try:
        yield
    finally:
        for number, previous in before:
            signal.signal(number, previous)
