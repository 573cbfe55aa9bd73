"""Images into all engines of a lab at once, where no registry has to be asked.

What is asked for is an archive (a path) or a tag. A tag is looked up where it may be already: the
engines of the lab, the archives that were built here, the machine's own engine.
"""

import tarfile
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stackctl.errors import InputError
from stackctl.lab import image_archive, nodes, unix_http
from stackctl.lab.plan import LabPlan, NodePlan

_MACHINE_ENGINE = Path("/var/run/docker.sock")

Report = Callable[[str], None]


def load(plan: LabPlan, images: Iterable[str], report: Report) -> None:
    """Load archives and tags into every engine of the lab that runs and does not have them.

    Raises `InputError` for what is neither, and `LabFailure` when an engine refuses.
    """
    engines = [node for node in plan.nodes if nodes.running(node, "engine") is not None]
    if not engines:
        raise InputError("no engine of the lab runs", hint="stackctl lab up")
    with tempfile.TemporaryDirectory(prefix="stackctl-images-") as folder:
        for image in images:
            archive = Path(image)
            if not archive.is_file():
                archive = _find_tag(engines, image, Path(folder))
            _load_archive(engines, archive, report)


def _load_archive(engines: list[NodePlan], archive: Path, report: Report) -> None:
    wanted = _read_tags(archive)

    def lacks(node: NodePlan) -> bool:
        return any(unix_http.image_id(node.engine_socket, tag) != wanted[tag] for tag in wanted)

    def load_into(node: NodePlan) -> str | None:
        if wanted and not lacks(node):
            return None
        unix_http.load_images(node.engine_socket, archive)
        return node.name

    with ThreadPoolExecutor(len(engines)) as pool:
        loaded = [name for name in pool.map(load_into, engines) if name is not None]
    what = ", ".join(wanted) or str(archive)
    report(f"{what}: {'loaded into ' + ', '.join(loaded) if loaded else 'there already'}")


def _read_tags(archive: Path) -> dict[str, str]:
    try:
        return image_archive.read_tags(archive)
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise InputError(
            f"{archive} is not an archive of images: {error}",
            hint="make one with `docker save IMAGE > FILE`",
        ) from error


def _find_tag(engines: list[NodePlan], tag: str, folder: Path) -> Path:
    """An archive that holds `tag`; raises `InputError` when nobody has it."""
    for archive in sorted(image_archive.archives_folder().glob("*.tar")):
        if tag in image_archive.read_tags(archive):
            return archive
    sockets = [node.engine_socket for node in engines]
    if _MACHINE_ENGINE.exists():
        sockets.append(_MACHINE_ENGINE)
    for engine_socket in sockets:
        if unix_http.image_id(engine_socket, tag) is not None:
            archive = folder / f"{tag.replace('/', '_').replace(':', '_')}.tar"
            unix_http.save_image(engine_socket, tag, archive)
            return archive
    raise InputError(
        f"{tag} is neither a file nor an image of this machine or of the lab",
        hint=f"docker save {tag} > image.tar elsewhere, then stackctl lab load image.tar",
    )
