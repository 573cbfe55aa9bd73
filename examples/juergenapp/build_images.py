"""The images of this example without any registry: real nginx, redis and Flask out of Debian.

    python build_images.py          prints the path of an archive for `stackctl lab load`

debootstrap unpacks one small Debian with everything in it; the three images share it as their
first layer and differ in what they start. Archives are kept in the user's cache: the second run is
instant, a changed `web/` costs seconds, and only another Debian a minute. The images bear the
names that `stack.yml` uses, so that the same file runs with images from Docker Hub.
"""

import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from stackctl.errors import StackctlError, UnfitMachine
from stackctl.lab import image_archive, tools
from stackctl.lab.image_archive import ImageRecipe, LayerEntry

NGINX_IMAGE = "nginx:1.22"
WEB_IMAGE = "juergen/juergenapp-web:1.0"
REDIS_IMAGE = "redis:7.0"

_WEB_FOLDER = Path(__file__).parent / "web"
_WEB_FILES = ("app.py", "probe.py")
_PACKAGES = ("nginx-light", "python3-flask", "python3-redis", "python3-waitress", "redis-server")
_DEBIAN_LAYER_VERSION = 1  # one more whenever `_build_debian` does something else
_DEFAULT_SUITE = "bookworm"
_DEBOOTSTRAP_SECONDS = 840

# What a running container never reads; about half of the files.
_UNUSED = (
    *("boot", "usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man"),
    *("usr/share/bash-completion", "usr/share/i18n", "usr/share/lintian", "usr/share/zoneinfo"),
    *("usr/lib/*/gconv", "usr/lib/*/perl-base", "usr/bin/perl*", "usr/share/perl*"),
    *("usr/lib/apt", "usr/bin/apt*", "usr/lib/*/libapt-*", "usr/lib/dpkg", "usr/share/dpkg"),
    *("usr/lib/python3*/pydoc_data", "usr/lib/python3*/idlelib", "usr/lib/python3*/test"),
    *("var/cache/*", "var/lib/apt", "var/lib/dpkg", "var/log/*", "tmp/*", "dev/*", "debootstrap"),
)
# As in Docker Hub's image: logs go to the engine, and conf.d alone says what is served.
_NGINX_ENTRIES = (
    LayerEntry("var/log/nginx"),
    LayerEntry("var/log/nginx/access.log", link_to="/dev/stdout"),
    LayerEntry("var/log/nginx/error.log", link_to="/dev/stderr"),
    LayerEntry("etc/nginx/sites-enabled/.wh.default", content=b""),
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build() -> Path:
    """The archive with all three images, made when it is not in the cache.

    Raises `UnfitMachine` where debootstrap or root's rights are missing, and `StackctlError` when
    Debian's packages cannot be had.
    """
    debian = image_archive.cached_layer(
        "juergenapp-debian", [repr(_debian_inputs()).encode()], _build_debian
    )
    files = [(_WEB_FOLDER / name).read_bytes() for name in _WEB_FILES]
    inputs = [debian.name.encode(), *files, Path(image_archive.__file__).read_bytes()]
    inputs.append(Path(__file__).read_bytes())
    return image_archive.cached_archive(
        "juergenapp", inputs, lambda archive: _write_images(archive, debian, files)
    )


def _write_images(archive: Path, debian: Path, files: list[bytes]) -> None:
    with tempfile.TemporaryDirectory(prefix="juergenapp-") as folder:
        web = Path(folder) / "web.tar"
        entries = [LayerEntry("srv"), LayerEntry("srv/web")]
        entries += [
            LayerEntry(f"srv/web/{name}", content=content, mode=0o644)
            for name, content in zip(_WEB_FILES, files, strict=True)
        ]
        image_archive.write_layer(web, entries)
        nginx = Path(folder) / "nginx.tar"
        image_archive.write_layer(nginx, _NGINX_ENTRIES)
        path = {"PATH": _PATH}
        image_archive.write_archive(
            archive,
            [
                ImageRecipe(
                    tags=(NGINX_IMAGE,),
                    layers=(debian, nginx),
                    command=("nginx", "-g", "daemon off;"),
                    environment=path,
                    exposed_ports=("80/tcp",),
                    stop_signal="SIGQUIT",
                ),
                ImageRecipe(
                    tags=(WEB_IMAGE,),
                    layers=(debian, web),
                    command=("python3", "/srv/web/app.py"),
                    environment={**path, "PYTHONUNBUFFERED": "1"},
                    exposed_ports=("8000/tcp",),
                ),
                ImageRecipe(
                    tags=(REDIS_IMAGE,),
                    layers=(debian,),
                    command=("redis-server", "--protected-mode", "no"),
                    environment=path,
                    exposed_ports=("6379/tcp",),
                    working_directory="/data",
                    volumes=("/data",),
                ),
            ],
        )


def _build_debian(layer: Path) -> None:
    """One Debian with nginx, redis and Flask, as a layer: without times, and without ballast."""
    debootstrap = tools.find("debootstrap")
    if debootstrap is None:
        raise UnfitMachine("debootstrap is not installed", hint="apt-get install debootstrap")
    if os.geteuid() != 0:
        raise UnfitMachine("only root can unpack a Debian", hint="run the same command with sudo")
    suite, mirror = _suite_and_mirror()
    sys.stderr.write(f"building the example's images from Debian {suite}: about a minute\n")
    with tempfile.TemporaryDirectory(prefix="juergenapp-") as folder:
        root = Path(folder) / "root"
        tools.run(
            *(debootstrap, "--variant=minbase", f"--include={','.join(_PACKAGES)}"),
            *(suite, str(root), *mirror),
            timeout_seconds=_DEBOOTSTRAP_SECONDS,
        )
        _remove_unused(root)
        _compile_python(root)
        unfinished = Path(folder) / "layer.tar"
        _write_tree(root, unfinished)
        shutil.move(unfinished, layer)


def _remove_unused(root: Path) -> None:
    for pattern in _UNUSED:
        for found in root.glob(pattern):
            if found.is_dir() and not found.is_symlink():
                shutil.rmtree(found)
            else:
                found.unlink()


def _compile_python(root: Path) -> None:
    """Compile so that no time stamp is looked at: the layer has none, and starts must be fast."""
    for cache in root.glob("usr/lib/python3*/**/__pycache__"):
        shutil.rmtree(cache)
    folders = [f"/{found.relative_to(root)}" for found in root.glob("usr/lib/python3*")]
    tools.run(
        *("chroot", str(root), "python3", "-m", "compileall", "-q"),
        *("--invalidation-mode", "unchecked-hash", *folders),
        timeout_seconds=120,
    )


def _write_tree(root: Path, layer: Path) -> None:
    with tarfile.open(layer, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(root, arcname=".", filter=_without_time)


def _without_time(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    member.uname = member.gname = ""
    return member


def _suite_and_mirror() -> tuple[str, tuple[str, ...]]:
    """This machine's own suite and mirror where it runs Debian, which it can certainly reach."""
    release = Path("/etc/os-release").read_text()
    suite = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    if re.search(r"^ID=debian$", release, re.MULTILINE) is None or suite is None:
        return _DEFAULT_SUITE, ()
    listed = tools.run("apt-get", "indextargets", "--format", "$(CODENAME) $(SITE)")
    for line in listed.splitlines():
        codename, _blank, site = line.partition(" ")
        if codename == suite[1] and site.startswith("http"):
            return suite[1], (site,)
    return suite[1], ()


def _debian_inputs() -> tuple[object, ...]:
    """What decides about the contents of the shared layer."""
    suite, _mirror = _suite_and_mirror()
    return (_DEBIAN_LAYER_VERSION, suite, os.uname().machine, _PACKAGES, _UNUSED)


def main(write: Callable[[str], object]) -> int:
    """Build, and say where the archive is; returns the exit code."""
    try:
        write(f"{build()}\n")
    except StackctlError as error:
        sys.stderr.write(f"error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdout.write))
