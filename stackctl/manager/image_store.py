"""The images that a manager keeps for nodes to fetch: one file each, what `docker save` writes.

They lie beside the replicated log and are no part of it. A file is complete or not there: it grows
under another name and gets its own once its last byte is on the disk. File names are references
with every special character quoted, so that the folder can be read by people.
"""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from stackctl.errors import Conflict, InputError
from stackctl.model.cluster_images import NAME_LENGTH_MAX, is_cluster_image
from stackctl.wire import api

SPARE_BYTES = 512 << 20  # what images leave of the disk for the replicated log and for tasks

_SUFFIX = ".tar"
_PART = ".part"


class ImageStore:
    """The images of one manager."""

    def __init__(self, directory: Path, *, bytes_max: int) -> None:
        """`bytes_max` is how much all images together may take."""
        self._directory = directory
        self._bytes_max = bytes_max
        self._arriving: dict[str, asyncio.Lock] = {}

    def all(self) -> list[api.ImageView]:
        """The images, by reference."""
        if not self._directory.is_dir():
            return []
        found = []
        for path in self._directory.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # removed this moment
                status = path.stat()
                found.append(
                    api.ImageView(
                        reference=unquote(path.name.removesuffix(_SUFFIX)),
                        size_bytes=status.st_size,
                        stored_at=status.st_mtime,
                    )
                )
        return sorted(found, key=lambda image: image.reference)

    def find(self, reference: str) -> Path | None:
        """The file of an image, None when it is not here."""
        path = self._path(reference)
        return path if path.is_file() else None

    async def put(self, reference: str, content: AsyncIterator[bytes]) -> api.ImageView:
        """Keep an image; one that is here already is not written again, but read to its end.

        Raises InputError for a name that is none of the cluster's, Conflict when there is no room.
        """
        check_reference(reference)
        async with self._arriving.setdefault(reference, asyncio.Lock()):
            path = self._path(reference)
            if path.is_file():
                async for _ in content:
                    pass
                # Whoever sends it is about to deploy it: as good as new to `remove_unused`.
                await asyncio.to_thread(os.utime, path)
            else:
                await self._write(path, content)
        self._arriving.pop(reference, None)
        status = path.stat()
        return api.ImageView(
            reference=reference, size_bytes=status.st_size, stored_at=status.st_mtime
        )

    def remove_unused(self, used: Iterable[str], *, grace_seconds: float) -> list[str]:
        """Remove what is in no use and older than the grace; their references."""
        kept = frozenset(used)
        oldest = time.time() - grace_seconds
        gone = [
            image.reference
            for image in self.all()
            if image.reference not in kept and image.stored_at < oldest
        ]
        for reference in gone:
            self._path(reference).unlink(missing_ok=True)
        return gone

    def remove_parts(self) -> None:
        """Remove what an earlier process has left unfinished."""
        if self._directory.is_dir():
            for path in self._directory.glob(f"*{_PART}"):
                path.unlink(missing_ok=True)

    async def _write(self, path: Path, content: AsyncIterator[bytes]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f"{path.name}{_PART}")
        held = sum(image.size_bytes for image in self.all())
        written = 0
        try:
            with part.open("wb") as file:
                async for piece in content:
                    written += len(piece)
                    self._check_room(path, held + written, written)
                    await asyncio.to_thread(file.write, piece)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            if not written:
                raise InputError("the image is empty")
            part.rename(path)
        except OSError as error:
            raise Conflict(
                f"this manager cannot keep the image: {error.strerror or error}",
                hint=f"make room on the disk of {self._directory}",
            ) from error
        finally:
            part.unlink(missing_ok=True)

    def _check_room(self, path: Path, all_bytes: int, written: int) -> None:
        if all_bytes > self._bytes_max:
            raise Conflict(
                f"the images of this cluster may take {_text(self._bytes_max)},"
                f" and this one is more than {_text(self._bytes_max - all_bytes + written)}",
                hint="remove stacks that are not needed: an hour later their images go",
            )
        if shutil.disk_usage(path.parent).free < SPARE_BYTES:
            raise Conflict(
                f"this manager's disk has less than {_text(SPARE_BYTES)} left",
                hint=f"make room on the disk of {self._directory}",
            )

    def _path(self, reference: str) -> Path:
        return self._directory / f"{quote(reference, safe='')}{_SUFFIX}"


def check_reference(reference: str) -> None:
    """Raises InputError for a name that is none of the cluster's own images."""
    if not is_cluster_image(reference) or len(quote(reference, safe="")) > NAME_LENGTH_MAX - 10:
        raise InputError(f"{reference[:80]!r} is no name of an image that managers keep")


def _text(size_bytes: int) -> str:
    if size_bytes >= 1 << 30:
        return f"{size_bytes / (1 << 30):.1f} GiB"
    return f"{max(size_bytes, 0) / (1 << 20):.0f} MiB"
