"""What to do about the refusals of an engine that people meet: its words, and what to type.

The first row whose words are all in the message counts, so the special stand before the general.
"""

from collections.abc import Sequence

_ROWS: Sequence[tuple[tuple[str, ...], str]] = (
    (
        ("no space left on device",),
        "the engine's disk is full: `docker system df` shows of what, docker system prune helps",
    ),
    (
        ("port is already allocated",),
        "another program has the port: `docker ps` or `ss -ltnp` show which; or publish another",
    ),
    (
        ("address already in use",),
        "another program has the port: `docker ps` or `ss -ltnp` show which; or publish another",
    ),
    (("No such image",), "stackctl pull, or stackctl build, brings the image"),
    (
        ("does not match the specified platform",),
        "stackctl pull brings the image for that platform; or take platform: away",
    ),
    (
        ("Conflict. The container name",),
        "remove that container with docker rm, or give container_name: another one",
    ),
    (
        ("gathering device information",),
        "the engine's machine has no such device; `ls /dev` there shows those that it has",
    ),
    (
        ("could not select device driver", "gpu"),
        "the engine knows no GPU: install the NVIDIA Container Toolkit there, or take gpus: away",
    ),
    (
        ("mount a directory onto a file",),
        "a file goes onto a file, a folder onto a folder: see what is at both paths",
    ),
    (
        ("unable to find user",),
        "user: is a name in the image's /etc/passwd, or a number",
    ),
    (
        ("unable to find group",),
        "groups are names in the image's /etc/group, or numbers",
    ),
    (
        ("exec:", "executable file not found"),
        "command: or entrypoint: begins with a program that the image has not",
    ),
    (
        ("exec:", "permission denied"),
        "it is no program: chmod +x, or put a shell or interpreter before it",
    ),
    (("exec format error",), "it was built for another kind of processor: see platform:"),
    (
        ("/proc/sys/",),
        "sysctls: has a name that the engine's kernel has not, or not for containers",
    ),
    (
        ("Unknown runtime",),
        "`docker info --format '{{.Runtimes}}'` shows those that the engine has",
    ),
    (
        ("logging plugin",),
        "`docker info --format '{{.Plugins.Log}}'` shows those that the engine has",
    ),
    (
        ("volume plugin",),
        "`docker info --format '{{.Plugins.Volume}}'` shows those that the engine has",
    ),
    (
        ('plugin "', "not found"),
        "`docker info --format '{{.Plugins.Network}}'` shows those that the engine has",
    ),
    (
        ("could not find an available", "address pool"),
        "all address pools are taken: `docker network prune` frees those without containers",
    ),
    (
        ("Pool overlaps",),
        "another network has these addresses: `docker network ls` shows all; choose another subnet",
    ),
    (
        ("read-only", "rootfs"),
        "what is copied in needs a writable root: use file: without uid, gid and mode",
    ),
    (
        ("bind source path does not exist",),
        "make the file or folder first; paths are relative to the Compose file",
    ),
    (
        ("no such file or directory",),
        "make the file or folder first; paths are relative to the Compose file",
    ),
)


def hint_for(message: str) -> str | None:
    """What to do about a refusal; None where its own words must do."""
    for words, hint in _ROWS:
        if all(word in message for word in words):
            return hint
    return None
