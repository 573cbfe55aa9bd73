"""The door of the package: Compose files in, one stack's spec or all of its problems out.

The steps, each in a module of its own: read the file, parse YAML to a positioned tree, put the
variables in, read the sections into the typed document, check across sections, convert.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stackctl.compose import read
from stackctl.compose.checks import check_document
from stackctl.compose.convert import convert
from stackctl.compose.grammar.names import stack_name_complaint
from stackctl.compose.problems import Note, Place, Position, ProblemLog
from stackctl.compose.sections.environment import parse_variables
from stackctl.compose.sections.reading import Reading, Value
from stackctl.compose.sections.top_level import read_document
from stackctl.compose.syntax import tree
from stackctl.compose.syntax.interpolate import Variables, interpolate
from stackctl.compose.syntax.yaml_tree import parse
from stackctl.errors import InputError
from stackctl.model.specs import StackSpec

DOTENV_FILE = ".env"
STDIN_SHOWN = "<stdin>"

# Compose defines it in every file; here the stack's name is what it calls the project's.
STACK_NAME_VARIABLE = "COMPOSE_PROJECT_NAME"


class LoadedStack(NamedTuple):
    """A spec, and what in the file has no effect or is probably not meant."""

    spec: StackSpec
    notes: tuple[Note, ...]


def load_stack(
    paths: Sequence[str], stack_name: str, *, environment: Mapping[str, str]
) -> StackSpec:
    """The spec that the Compose file at `paths` describes; `-` is the standard input.

    `environment` gives the values of variables, before `.env` beside the file. Raises
    `ComposeProblems` with everything that is wrong in the file, and `InputError` when there is no
    file to read or the stack's name is none.
    """
    return load_stack_with_notes(paths, stack_name, environment=environment).spec


def load_stack_with_notes(
    paths: Sequence[str], stack_name: str, *, environment: Mapping[str, str]
) -> LoadedStack:
    """As `load_stack`, and with the notes that a user should see beside the spec."""
    complaint = stack_name_complaint(stack_name)
    if complaint:
        raise InputError(f"invalid stack name {stack_name!r}: {complaint}")
    path = _only_path(paths)
    file = STDIN_SHOWN if path == read.STDIN else path
    log = ProblemLog()
    log.add_file(file)
    root = _root(_content(path), file, log)
    base = (Path.cwd() if path == read.STDIN else Path(path).parent).absolute()
    dotenv = str(Path(DOTENV_FILE) if path == read.STDIN else Path(path).with_name(DOTENV_FILE))
    variables = _variables(base, stack_name, environment, file=dotenv, log=log)
    reading = Reading(log=log, base=base, variables=variables)
    spec = _spec(interpolate(root, variables, log), reading, stack_name)
    return LoadedStack(spec, log.notes())


def _spec(root: tree.Node, reading: Reading, stack_name: str) -> StackSpec:
    document = read_document(Value(root, path=(), reading=reading), stack_name)
    check_document(document, reading.log)
    reading.log.raise_if_any()
    return convert(document, stack_name)


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
