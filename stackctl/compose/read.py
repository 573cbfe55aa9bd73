"""The edge: files that a Compose file is or names. Nothing here decides what they mean."""

import sys
from pathlib import Path

COMPOSE_FILE_BYTES_MAX = 4 << 20
ENVIRONMENT_FILE_BYTES_MAX = 1 << 20
STDIN = "-"


class ReadError(ValueError):
    """A file cannot be read; the text says which and why."""


class NoSuchFile(ReadError):
    """There is nothing at the path that could be read as a file."""


def read_bytes(path: Path, *, bytes_max: int, shown: str | None = None) -> bytes:
    """The content of a file of at most `bytes_max` bytes, which messages call `shown`.

    Raises `ReadError`, or `NoSuchFile`.
    """
    name = str(path) if shown is None else shown
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NoSuchFile(f"cannot read {name}: {error.strerror}") from error
    except OSError as error:
        raise ReadError(f"cannot read {name}: {error.strerror}") from error
    except ValueError as error:
        raise ReadError(f"cannot read a path with a NUL character: {error}") from error
    return _within(content, bytes_max, name)


def read_stdin(*, bytes_max: int) -> bytes:
    """What comes in on the standard input. Raises `ReadError`."""
    try:
        content = sys.stdin.buffer.read(bytes_max + 1)
    except OSError as error:
        raise ReadError(f"cannot read the standard input: {error.strerror}") from error
    return _within(content, bytes_max, "the standard input")


def decode_text(content: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 where a byte-order mark says so.

    Raises `UnicodeDecodeError`, whose `start` is a byte offset.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")


def _within(content: bytes, bytes_max: int, name: str) -> bytes:
    if len(content) > bytes_max:
        raise ReadError(f"{name} is larger than {bytes_max >> 10} KiB")
    return content
