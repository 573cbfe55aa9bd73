"""The files of one load as one positioned tree."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stackctl.compose import read
from stackctl.compose.problems import Place, Position, ProblemLog
from stackctl.compose.request import LoadRequest
from stackctl.compose.sections.environment import parse_variables
from stackctl.compose.syntax import tree
from stackctl.compose.syntax.interpolate import Variables, interpolate
from stackctl.compose.syntax.yaml_tree import parse
from stackctl.errors import InputError

DOTENV_FILE = ".env"
STDIN_SHOWN = "<stdin>"

# Compose defines it in every file; here the stack's name is what it calls the project's.
STACK_NAME_VARIABLE = "COMPOSE_PROJECT_NAME"


class Assembled(NamedTuple):
    """The merged tree, and what its readers need to know."""

    root: tree.Node
    name: str
    base: Path
    variables: Variables
    files: tuple[str, ...]
    profiles: frozenset[str] = frozenset()
    switched_off: tuple[str, ...] = ()


def assemble(request: LoadRequest, log: ProblemLog) -> Assembled:
    """The merged tree of a request. Raises `InputError` when there is no file to read."""
    stack_name = request.stack_name or "stack"
    path = _only_path(request.paths)
    file = STDIN_SHOWN if path == read.STDIN else path
    log.add_file(file)
    root = _root(_content(path), file, log)
    base = (Path.cwd() if path == read.STDIN else Path(path).parent).absolute()
    dotenv = str(Path(DOTENV_FILE) if path == read.STDIN else Path(path).with_name(DOTENV_FILE))
    variables = _variables(base, stack_name, request.environment, file=dotenv, log=log)
    root = interpolate(root, variables, log) if request.interpolate else root
    return Assembled(root, stack_name, base, variables, (file,))


def _only_path(paths: Sequence[str]) -> str:
    if not paths:
        raise InputError("no Compose file is given", hint="name one with -c FILE")
    if len(paths) > 1:
        raise InputError(
            f"{len(paths)} Compose files are given; merging several is not supported yet",
            hint="put them into one file",
        )
    return paths[0]


def _content(path: str) -> bytes:
    try:
        if path == read.STDIN:
            return read.read_stdin(bytes_max=read.COMPOSE_FILE_BYTES_MAX)
        return read.read_bytes(Path(path), bytes_max=read.COMPOSE_FILE_BYTES_MAX)
    except read.ReadError as error:
        raise InputError(str(error)) from error


def _root(content: bytes, file: str, log: ProblemLog) -> tree.Node:
    try:
        return parse(read.decode_text(content), file=file, log=log)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        position = Position(file, before.count(b"\n") + 1, column)
        log.add(Place(position, ()), "the file is not UTF-8 text")
        return tree.broken(position)


def _variables(
    base: Path, stack_name: str, environment: Mapping[str, str], *, file: str, log: ProblemLog
) -> Variables:
    """The caller's variables over those of `.env`, which may use the caller's."""
    stack = {STACK_NAME_VARIABLE: stack_name}
    outer = Variables(stack, environment, file=file, log=log)
    try:
        content = read.read_bytes(base / DOTENV_FILE, bytes_max=read.ENVIRONMENT_FILE_BYTES_MAX)
    except read.NoSuchFile:  # a folder called .env is no mistake: virtual environments are
        return outer
    except read.ReadError as error:
        log.add(Place(Position(file, 1, 1), ()), str(error))
        return outer
    found = parse_variables(content, file=file, inherited=outer, log=log)
    return Variables(stack, environment, found, file=file, log=log)
