"""Where a load starts from: which files, which folder, which variables, which name.

The settings of Compose (`COMPOSE_FILE`, `COMPOSE_PROFILES` …) count wherever they are set: in the
environment of the caller, in the files of `--env-file`, or in `.env`. Without `--env-file` the
`.env` of the project's folder is read, and below that the one of the current folder when it was the
first to say which files there are.
"""

from collections.abc import Mapping, Sequence
from os import pathsep
from os.path import normpath
from pathlib import Path
from typing import NamedTuple

from stackctl.compose import read
from stackctl.compose.grammar.names import (
    checked_name,
    local_name_complaint,
    normalised_name,
)
from stackctl.compose.merging.files import STDIN_SHOWN, ComposeFile, compose_file
from stackctl.compose.problems import Place, Position, ProblemLog
from stackctl.compose.request import LoadRequest
from stackctl.compose.sections.environment import parse_variables
from stackctl.compose.syntax.interpolate import Variables
from stackctl.errors import InputError

DOTENV_FILE = ".env"

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)

STACK_NAME_VARIABLE = "COMPOSE_PROJECT_NAME"
FILES_VARIABLE = "COMPOSE_FILE"
SEPARATOR_VARIABLE = "COMPOSE_PATH_SEPARATOR"
PROFILES_VARIABLE = "COMPOSE_PROFILES"
ENV_FILES_VARIABLE = "COMPOSE_ENV_FILES"
NO_DOTENV_VARIABLE = "COMPOSE_DISABLE_ENV_FILE"

_TRUE = frozenset(("1", "t", "true", "y", "yes", "on"))


class Sources(NamedTuple):
    """What a load starts from. `variables` do not have the stack's name yet."""

    files: tuple[ComposeFile, ...]
    base: Path  # absolute: the project's folder
    variables: Variables


def find_sources(request: LoadRequest, log: ProblemLog) -> Sources:
    """Where the load starts from. Raises `InputError` when there is no file to begin with."""
    here = Path.cwd()
    for path in request.paths:  # so that their problems stand before those of .env
        log.add_file(STDIN_SHOWN if path == read.STDIN else path)
    start = _start(request, here)
    dotenv = Dotenv(request, log)
    variables = dotenv.first(start)
    files = _files(request, variables, here=here, log=log)
    base = start
    if not request.project_directory and files[0].path is not None:
        base = files[0].path.parent
    if base != start:
        variables = dotenv.second(base)
    return Sources(files, base, variables)


def with_stack_name(sources: Sources, stack_name: str) -> Variables:
    """The variables as they are defined in the files: Compose always defines the stack's name."""
    return sources.variables.with_first({STACK_NAME_VARIABLE: stack_name})


def explicit_name(request: LoadRequest, variables: Variables) -> str | None:
    """The name that the caller or the environment gives. Raises `InputError` when it is none."""
    name = request.stack_name
    if name is None:
        name = variables.setting(STACK_NAME_VARIABLE) or None
    return None if name is None else checked_name(name, is_local=request.is_local)


def name_from(text: str) -> str | None:
    """A stack's name made of a folder's or of `name:`; None when nothing is left of it."""
    name = normalised_name(text)
    return None if local_name_complaint(name) else name


def active_profiles(request: LoadRequest, variables: Variables) -> frozenset[str]:
    """The profiles that are on."""
    if request.profiles:
        return frozenset(request.profiles)
    words = (variables.setting(PROFILES_VARIABLE) or "").split(",")
    return frozenset(word.strip() for word in words if word.strip())


class Dotenv:
    """The variables of the environment and of the files that add to it."""

    def __init__(self, request: LoadRequest, log: ProblemLog) -> None:
        self._environment = request.environment
        self._log = log
        given = request.env_files or _words(request.environment.get(ENV_FILES_VARIABLE), ",")
        self._given = tuple(given)
        disabled = request.environment.get(NO_DOTENV_VARIABLE, "").lower()
        self._is_off = disabled in _TRUE
        self._first: Mapping[str, str] = {}
        self._first_file = DOTENV_FILE

    def first(self, start: Path) -> Variables:
        """Those that are known before the files are. Raises `InputError`."""
        if self._given:
            found: dict[str, str] = {}
            for path in self._given:
                found.update(self._required(path, found))
            return self._over(found, file=self._given[0])
        self._first_file = compose_file(start / DOTENV_FILE, Path.cwd()).shown
        self._first = {} if self._is_off else self._optional(start)
        return self._over(self._first, file=self._first_file)

    def second(self, base: Path) -> Variables:
        """Those that count in the project's folder, which is another one."""
        if self._given or self._is_off:
            return self.first(base)
        nearer = self._optional(base)
        file = compose_file(base / DOTENV_FILE, Path.cwd()).shown
        return Variables(self._environment, nearer, self._first, file=file, log=self._log)

    def _over(self, found: Mapping[str, str], *, file: str) -> Variables:
        return Variables(self._environment, found, file=file, log=self._log)

    def _required(self, path: str, earlier: Mapping[str, str]) -> dict[str, str]:
        inherited = self._over(earlier, file=path)
        try:
            return required_variables(Path(path), path, inherited, self._log)
        except read.ReadError as error:
            raise InputError(str(error), hint="give --env-file a file of variables") from error

    def _optional(self, folder: Path) -> dict[str, str]:
        path = folder / DOTENV_FILE
        inherited = self._over({}, file=str(path))
        return dotenv_variables(path, inherited, self._log)


def required_variables(
    path: Path, shown: str, inherited: Variables, log: ProblemLog
) -> dict[str, str]:
    """The variables of a file that must be there. Raises `read.ReadError`."""
    content = read.read_bytes(path, bytes_max=read.ENVIRONMENT_FILE_BYTES_MAX, shown=shown)
    return parse_variables(content, file=shown, inherited=inherited, log=log)


def dotenv_variables(path: Path, inherited: Variables, log: ProblemLog) -> dict[str, str]:
    """The variables of a folder's `.env`; none when there is no such file."""
    shown = compose_file(path, Path.cwd()).shown
    try:
        return required_variables(path, shown, inherited, log)
    except read.NoSuchFile:  # a folder called .env is no mistake: virtual environments are
        return {}
    except read.ReadError as error:
        log.add(Place(Position(shown, 1, 1), ()), str(error))
        return {}


def _start(request: LoadRequest, here: Path) -> Path:
    if request.project_directory:
        folder = _plain_path(here / request.project_directory)
        if not folder.is_dir():
            raise InputError(f"{request.project_directory} is no folder to start from")
        return folder
    if request.paths and request.paths[0] != read.STDIN:
        return _plain_path(here / request.paths[0]).parent
    return here


def _plain_path(path: Path) -> Path:
    """The path without `..`, so that its folder has a name: stacks are called after it."""
    return Path(normpath(path))


def _files(
    request: LoadRequest, variables: Variables, *, here: Path, log: ProblemLog
) -> tuple[ComposeFile, ...]:
    paths: Sequence[str] = request.paths
    if not paths:
        separator = variables.setting(SEPARATOR_VARIABLE) or pathsep
        paths = _words(variables.setting(FILES_VARIABLE), separator)
    if not paths:
        return _discovered(_start(request, here), here, log)
    return tuple(
        ComposeFile(None, STDIN_SHOWN)
        if path == read.STDIN
        else ComposeFile(_plain_path(here / path), path)
        for path in paths
    )


def _discovered(start: Path, here: Path, log: ProblemLog) -> tuple[ComposeFile, ...]:
    """The file that Compose would find in a folder or above it, and the one that overrides it."""
    for folder in (start, *start.parents):
        found = [name for name in FILE_NAMES if (folder / name).is_file()]
        if not found:
            continue
        overriding = [name for name in OVERRIDE_NAMES if (folder / name).is_file()]
        for names in (found, overriding):
            _note_others(names, folder, here, log)
        chosen = (found[0], *overriding[:1])
        return tuple(compose_file(folder / name, here) for name in chosen)
    raise InputError(
        f"no Compose file is given, and there is no {FILE_NAMES[0]} here or in a folder above",
        hint="name one with -c FILE",
    )


def _note_others(names: Sequence[str], folder: Path, here: Path, log: ProblemLog) -> None:
    for name in names[1:]:
        place = Place(Position(compose_file(folder / name, here).shown, 1, 1), ())
        log.note(place, f"is not read, because {names[0]} stands beside it")


def _words(text: str | None, separator: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(separator) if word.strip())
