"""The flags of `up` and `create`, and what combinations of them mean."""

from collections.abc import Mapping
from typing import Annotated

import typer

from stackctl.errors import InputError
from stackctl.local.image_needs import ImageFlags, PullFlag
from stackctl.local.reconcile import Recreate

Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Return when all is started; show no output.")
]
Build = Annotated[bool, typer.Option("--build", help="Build images before anything starts.")]
NoBuild = Annotated[bool, typer.Option("--no-build", help="Build nothing, even if it is missing.")]
QuietPull = Annotated[bool, typer.Option("--quiet-pull", help="Do not tell how images come.")]
QuietBuild = Annotated[
    bool, typer.Option("--quiet-build", help="Do not tell what the builder does.")
]
Pull = Annotated[PullFlag, typer.Option("--pull", help="When images are fetched.")]
ForceRecreate = Annotated[
    bool, typer.Option("--force-recreate", help="Replace containers though nothing changed.")
]
NoRecreate = Annotated[
    bool, typer.Option("--no-recreate", help="Keep containers though something changed.")
]
AlwaysRecreateDeps = Annotated[
    bool,
    typer.Option("--always-recreate-deps", help="Replace dependencies, too, though unchanged."),
]
RenewVolumes = Annotated[
    bool,
    typer.Option("--renew-anon-volumes", "-V", help="Give new containers new anonymous volumes."),
]
NoDeps = Annotated[bool, typer.Option("--no-deps", help="Leave out what the services depend on.")]
NoStart = Annotated[bool, typer.Option("--no-start", help="Make it all, start nothing.")]
Yes = Annotated[
    bool,
    typer.Option(
        "--yes", "-y", help="Make volumes anew whose settings changed; what is in them is lost."
    ),
]
Watch = Annotated[
    bool,
    typer.Option("--watch", "-w", help="Copy, rebuild or restart as files change."),
]


def _refuse_menu(wanted: bool) -> None:
    if wanted:
        raise InputError(
            "--menu: no key does anything here while output is shown",
            hint="--watch watches files, --detach returns at once; Ctrl-C stops the stack",
        )


Menu = Annotated[
    bool,
    typer.Option(
        "--menu/--no-menu",
        callback=_refuse_menu,
        help="Compose's menu of keys; there is none here.",
        hidden=True,
    ),
]
Scale = Annotated[
    list[str] | None,
    typer.Option(
        "--scale",
        metavar="SERVICE=N",
        help="How many containers a service has; may be given several times.",
        show_default=False,
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait until all run and are healthy; implies --detach.")
]
WaitTimeout = Annotated[
    int | None,
    typer.Option(
        "--wait-timeout", metavar="SECONDS", min=0, help="How long to wait.", show_default=False
    ),
]
Attach = Annotated[
    list[str] | None,
    typer.Option(
        "--attach", metavar="SERVICE", help="Show only this one's output.", show_default=False
    ),
]
NoAttach = Annotated[
    list[str] | None,
    typer.Option(
        "--no-attach", metavar="SERVICE", help="Leave this one's output out.", show_default=False
    ),
]
AttachDependencies = Annotated[
    bool, typer.Option("--attach-dependencies", help="Show the output of dependencies, too.")
]
AbortOnExit = Annotated[
    bool, typer.Option("--abort-on-container-exit", help="Stop all when a container ends.")
]
AbortOnFailure = Annotated[
    bool, typer.Option("--abort-on-container-failure", help="Stop all when a container fails.")
]
ExitCodeFrom = Annotated[
    str,
    typer.Option(
        "--exit-code-from",
        metavar="SERVICE",
        help="Return this one's exit code; implies --abort-on-container-exit.",
        show_default=False,
    ),
]
Timestamps = Annotated[bool, typer.Option("--timestamps", help="Show when each line was written.")]


def recreation(*, force: bool, never: bool) -> Recreate:
    """The two flags as one word. Raises InputError when both are given."""
    if force and never:
        raise InputError("--force-recreate and --no-recreate exclude each other")
    if force:
        return Recreate.ALWAYS
    return Recreate.NEVER if never else Recreate.CHANGED


def checked(flags: ImageFlags, *, watches: bool = False) -> ImageFlags:
    """The flags about images. Raises InputError when they exclude each other."""
    refuse_both({"--build": flags.builds, "--no-build": flags.never_builds})
    refuse_both({"--no-build": flags.never_builds, "--watch": watches})
    return flags


def refuse_both(flags: Mapping[str, object]) -> None:
    """Raises InputError when more than one of the flags is given."""
    given = [flag for flag, value in flags.items() if value]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other")


def refuse_kept(keeps: bool, *, renews: bool, replaces: bool) -> None:
    """Raises InputError when containers are to be kept, and to be replaced."""
    for flag, value in {"-V": renews, "--always-recreate-deps": replaces}.items():
        refuse_both({flag: value, "--no-recreate": keeps})


def refuse_detached(flags: Mapping[str, object], *, detach: bool, wait: bool) -> None:
    """Raises InputError when a flag about output is given where none is shown."""
    given = [flag for flag, value in flags.items() if value]
    if given and (detach or wait):
        raise InputError(f"{given[0]} does not go with {'--detach' if detach else '--wait'}")
