"""Images without a registry and without an engine: archives that `docker load` accepts.

An *archive* is a tar of layers (plain tars), one configuration per image and a manifest that ties
them to *tags*. It is written here byte for byte, so that the same inputs give the same image ids
on every node, which is what a registry would have guaranteed; `docker import` or `docker build`
would put a time stamp into each engine's own copy. Several images may share a layer: it is
stored, sent and unpacked once.

Archives are cached by the content of what they are made from (`cached_archive`): a second run
costs one hash.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CREATED = "2024-01-01T00:00:00Z"
"""A fixed time of creation: the image id is a hash over it, and must not change with the clock."""

_ENGINE_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


@dataclass(frozen=True)
class ImageRecipe:
    """One image of an archive: its tags, its layers, and what a Dockerfile would say below them."""

    tags: tuple[str, ...]
    layers: tuple[Path, ...]  # tars, lowest first
    command: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    exposed_ports: tuple[str, ...] = ()  # "80/tcp"
    working_directory: str = "/"
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerEntry:
    """One file, folder or symbolic link of a layer that is written from values."""

    path: str  # without a leading slash
    content: bytes | None = None  # a file
    link_to: str | None = None  # a symbolic link; a folder when neither is given
    mode: int = 0o755


def write_layer(destination: Path, entries: Iterable[LayerEntry]) -> None:
    """Write `entries`, in the given order, as a layer owned by root and without times."""
    with tarfile.open(destination, "w", format=tarfile.GNU_FORMAT) as layer:
        for entry in entries:
            member = tarfile.TarInfo(entry.path)
            member.mode = entry.mode
            if entry.link_to is not None:
                member.type, member.linkname = tarfile.SYMTYPE, entry.link_to
            elif entry.content is None:
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(entry.content)
            layer.addfile(member, io.BytesIO(entry.content or b""))


def write_archive(destination: Path, images: Sequence[ImageRecipe]) -> dict[str, str]:
    """Write an archive of `images`; returns tag -> image id.

    A layer that several images name is written once. The archive appears at `destination` whole or
    not at all.
    """
    layers = dict.fromkeys(layer for image in images for layer in image.layers)
    digests = {layer: _file_digest(layer) for layer in layers}
    names = {layer: f"{digest}/layer.tar" for layer, digest in digests.items()}
    manifest = []
    image_ids = {}
    unfinished = destination.with_name(f".{destination.name}.{os.getpid()}")
    try:
        with tarfile.open(unfinished, "w", format=tarfile.GNU_FORMAT) as archive:
            for layer, name in names.items():
                _add_file(archive, name, layer)
            for image in images:
                document = image_config(image, [digests[layer] for layer in image.layers])
                config = json.dumps(document, sort_keys=True).encode()
                image_id = hashlib.sha256(config).hexdigest()
                _add_bytes(archive, f"{image_id}.json", config)
                manifest.append(
                    {
                        "Config": f"{image_id}.json",
                        "RepoTags": list(image.tags),
                        "Layers": [names[layer] for layer in image.layers],
                    }
                )
                image_ids.update(dict.fromkeys(image.tags, f"sha256:{image_id}"))
            _add_bytes(archive, "manifest.json", json.dumps(manifest).encode())
        unfinished.replace(destination)
    finally:
        unfinished.unlink(missing_ok=True)
    return image_ids


def image_config(image: ImageRecipe, layer_digests: Sequence[str]) -> dict[str, object]:
    """The image's configuration document; its SHA-256 is the image id."""
    machine = os.uname().machine
    return {
        "architecture": _ENGINE_ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "created": _CREATED,
        "config": {
            "Cmd": list(image.command),
            "Entrypoint": list(image.entrypoint) or None,
            "Env": [f"{name}={value}" for name, value in sorted(image.environment.items())],
            "ExposedPorts": {port: {} for port in image.exposed_ports},
            "Volumes": {path: {} for path in image.volumes} or None,
            "WorkingDir": image.working_directory,
            **({"StopSignal": image.stop_signal} if image.stop_signal else {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in layer_digests]},
        "history": [{"created": _CREATED, "created_by": "stackctl"} for _ in layer_digests],
    }


def read_tags(archive: Path) -> dict[str, str]:
    """Tag -> image id of everything in an archive that `docker save` or this module wrote.

    Raises `tarfile.TarError`, `KeyError` or `ValueError` on a file that is no such archive.
    """
    with tarfile.open(archive) as opened:
        stream = opened.extractfile("manifest.json")
        if stream is None:
            raise ValueError("manifest.json is not a file")
        manifest = json.load(stream)
    image_ids = {}
    for image in manifest:
        digest = image["Config"].rsplit("/", 1)[-1].removesuffix(".json")
        for tag in image["RepoTags"] or ():
            image_ids[str(tag)] = f"sha256:{digest}"
    return image_ids


def cached_archive(name: str, inputs: Iterable[bytes], build: Callable[[Path], object]) -> Path:
    """The archive `name` made from `inputs`; `build(path)` writes it when it is not there yet.

    Two processes that ask at the same time build once. Archives of the same name from other
    inputs are removed: nothing asks for them again, and they are large.
    """
    return _cached(archives_folder(), name, inputs, build)


def cached_layer(name: str, inputs: Iterable[bytes], build: Callable[[Path], object]) -> Path:
    """The same for a layer that takes long to make; several archives may hold it."""
    return _cached(archives_folder().with_name("layers"), name, inputs, build)


def archives_folder() -> Path:
    """Where archives are kept: `${XDG_CACHE_HOME:-~/.cache}/stackctl/images`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "stackctl" / "images"


def _cached(
    folder: Path, name: str, inputs: Iterable[bytes], build: Callable[[Path], object]
) -> Path:
    key = hashlib.sha256()
    for part in inputs:
        key.update(hashlib.sha256(part).digest())
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / f"{name}-{key.hexdigest()[:16]}.tar"
    with _locked(folder / f".{name}.lock"):
        if not wanted.exists():
            build(wanted)
            for old in folder.glob(f"{name}-{'?' * 16}.tar"):
                if old != wanted:
                    old.unlink(missing_ok=True)
    return wanted


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _add_file(archive: tarfile.TarFile, name: str, source: Path) -> None:
    member = tarfile.TarInfo(name)
    member.size = source.stat().st_size
    with source.open("rb") as stream:
        archive.addfile(member, stream)


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
