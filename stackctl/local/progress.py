"""What a plan's execution says while it goes on: one resource, what it does, how far it is."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """Whether a resource still moves."""

    WORKING = "Working"
    DONE = "Done"
    WARNING = "Warning"
    ERROR = "Error"


class Progress(NamedTuple):
    """One thing that moved: `Container shop-web-1`, `Creating`; `text` may say more.

    `parent` is the id of the resource that this one is a part of (a layer of an image). `output` is
    a line of what somebody else says of it (a builder), to be shown as it is.
    """

    id: str
    phase: Phase
    text: str
    details: str = ""
    parent: str = ""
    current: int = 0
    total: int = 0
    output: str = ""


Report = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """Says nothing."""
