"""Images for tests that need a real engine, where no registry can be reached.

`stackctl/busybox:test` is one static busybox with a link per applet; `stackctl/busybox:next` is
the same files under another image id, for updates. The example's images come from its own
build script. All archives are cached, so that asking costs milliseconds after the first time.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from stackctl.errors import UnfitMachine
from stackctl.lab import image_archive
from stackctl.lab.image_archive import ImageRecipe, LayerEntry

BUSYBOX_IMAGE = "stackctl/busybox:test"
BUSYBOX_NEXT_IMAGE = "stackctl/busybox:next"

_EXAMPLE = Path(__file__).parent.parent / "examples" / "juergenapp"
_FOLDERS = ("bin", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr", "var")
_PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUP = b"root:x:0:\nnogroup:x:65534:\n"


def busybox_image_tar() -> Path:
    """An archive of `stackctl/busybox:test` and `stackctl/busybox:next`, ready for `docker load`.

    Raises `UnfitMachine` where no static busybox is installed.
    """
    binary = shutil.which("busybox")
    if binary is None:
        raise UnfitMachine("busybox is not installed", hint="apt-get install busybox-static")
    content = Path(binary).read_bytes()
    inputs = [content, Path(__file__).read_bytes(), Path(image_archive.__file__).read_bytes()]
    return image_archive.cached_archive(
        "busybox", inputs, lambda archive: _build_busybox(archive, content)
    )


def juergenapp_image_tar() -> Path:
    """An archive of the images that `examples/juergenapp/stack.yml` names.

    The first call takes a minute or two (it unpacks Debian packages); later ones are instant.
    """
    ended = subprocess.run(
        [sys.executable, str(_EXAMPLE / "build_images.py")],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=900,
        env={**os.environ, "PYTHONPATH": str(_EXAMPLE.parent.parent)},
    )
    return Path(ended.stdout.strip().splitlines()[-1])


def _build_busybox(archive: Path, binary: bytes) -> None:
    listed = subprocess.run(
        ["busybox", "--list"], check=True, capture_output=True, text=True, timeout=10
    )
    entries = [LayerEntry(folder) for folder in _FOLDERS if folder != "tmp"]
    entries += [
        LayerEntry("tmp", mode=0o1777),
        LayerEntry("bin/busybox", content=binary),
        LayerEntry("etc/passwd", content=_PASSWD, mode=0o644),
        LayerEntry("etc/group", content=_GROUP, mode=0o644),
    ]
    entries += [
        LayerEntry(f"bin/{applet}", link_to="busybox", mode=0o777)
        for applet in listed.stdout.split()
        if applet != "busybox"
    ]
    path = {"PATH": "/bin"}
    with tempfile.TemporaryDirectory() as folder:
        layer = Path(folder) / "layer.tar"
        image_archive.write_layer(layer, entries)
        image_archive.write_archive(
            archive,
            [
                ImageRecipe(
                    tags=(BUSYBOX_IMAGE,), layers=(layer,), command=("sh",), environment=path
                ),
                ImageRecipe(
                    tags=(BUSYBOX_NEXT_IMAGE,),
                    layers=(layer,),
                    command=("sh",),
                    environment={**path, "STACKCTL_TEST_IMAGE": "next"},
                ),
            ],
        )
