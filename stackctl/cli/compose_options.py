"""Which Compose files a command reads, and as what: the flags, and the request they make."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from stackctl.cli.render.terminal import Ansi
from stackctl.cli.session import Session

if TYPE_CHECKING:
    from stackctl.compose.request import LoadRequest

Files = Annotated[
    list[str] | None,
    typer.Option(
        "--compose-file",
        "-c",
        "--file",
        "-f",
        metavar="FILE",
        help="A Compose file, or - for standard input; given several times, a later one goes over "
        "earlier ones.  [env: COMPOSE_FILE; default: compose.yaml here or in a folder above]",
        show_default=False,
    ),
]
EnvFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="A file with variables, instead of .env; may be given several times.  "
        "[env: COMPOSE_ENV_FILES]",
        show_default=False,
    ),
]
Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Switch on the services of a profile, '*' is all; may be given several times.  "
        "[env: COMPOSE_PROFILES]",
        show_default=False,
    ),
]
ProjectDirectory = Annotated[
    str | None,
    typer.Option(
        "--project-directory",
        metavar="FOLDER",
        help="What relative paths start from.  [default: the folder of the first file]",
        show_default=False,
    ),
]
Lenient = Annotated[
    bool,
    typer.Option(
        "--lenient",
        help="Leave out what a cluster cannot honour, and say so, instead of refusing it.",
    ),
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Remove services that the file no longer has.")
]
Rerun = Annotated[
    bool, typer.Option("--rerun", help="Run the stack's jobs again though nothing changed.")
]
Name = Annotated[
    str | None,
    typer.Option(
        "--project-name",
        "-p",
        metavar="STACK",
        help="Name of the stack.  [env: COMPOSE_PROJECT_NAME; default: name: of the file, else "
        "its folder]",
        show_default=False,
    ),
]

Compatibility = Annotated[
    bool,
    typer.Option(
        "--compatibility",
        help="Join names with _ as version 1 of Compose did.  [env: COMPOSE_COMPATIBILITY]",
    ),
]
AllResources = Annotated[
    bool,
    typer.Option(
        "--all-resources", help="Make also networks and volumes of the file that no service uses."
    ),
]
Colours = Annotated[
    Ansi | None,
    typer.Option(
        "--ansi",
        help="Whether colours are used and lines redrawn.  [env: COMPOSE_ANSI; default: auto]",
        show_default=False,
    ),
]


class FileOptions(NamedTuple):
    """The flags that say which files are read."""

    files: list[str] | None = None
    env_files: list[str] | None = None
    profiles: list[str] | None = None
    project_directory: str | None = None

    def request(self, session: Session, stack_name: str | None) -> "LoadRequest":
        """What the reader of files is asked for; flags may also stand before the command, where
        Compose has them.
        """
        from stackctl.compose.request import LoadRequest

        before = session.stack_flags
        return LoadRequest(
            environment=session.environment,
            paths=(*before.files, *(self.files or ())),
            stack_name=stack_name or before.name,
            env_files=(*before.env_files, *(self.env_files or ())),
            profiles=(*before.profiles, *(self.profiles or ())),
            project_directory=self.project_directory or before.directory,
        )
