"""What a caller asks of the reader, and what it gets back."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stackctl.compose.contents import Contents
from stackctl.compose.document import Document
from stackctl.compose.problems import Note, Problem
from stackctl.compose.syntax import tree
from stackctl.compose.verdicts.judge import Judgement


class LoadRequest(NamedTuple):
    """Which files are read, under which name, with which variables.

    What is left empty is taken from the `COMPOSE_…` variables, then found as Compose finds it.
    """

    environment: Mapping[str, str]
    paths: Sequence[str] = ()  # `-` is the standard input; a later file goes over earlier ones
    stack_name: str | None = None
    is_local: bool = False  # for one engine, where fewer names are taken
    env_files: Sequence[str] = ()  # instead of .env
    profiles: Sequence[str] = ()  # `*` is all of them
    project_directory: str | None = None  # instead of the first file's folder
    interpolate: bool = True  # without, the tree is merged, but not read
    checks: bool = True  # without, what only makes sense across sections is not looked at
    contents: Contents | None = None  # of files that the files name; None is all of them
    lenient: bool = False  # what the target cannot do is noted and left out, not a problem
    images: Mapping[str, str] = {}  # service -> image built for it, whatever the files say


class Loaded(NamedTuple):
    """The files as one: the merged tree, and what it means."""

    name: str
    root: tree.Node  # merged, interpolated, without services that are switched off
    judgements: tuple[Judgement, ...]
    document: Document  # has placeholders where there are problems
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]
    files: tuple[str, ...]  # all that were read, as messages show them, in the order of reading
    variables: Mapping[str, str | None]  # those that were looked up; None is not set
    profiles: frozenset[str]  # all that some service names
    switched_off: tuple[str, ...]  # services that no profile switches on
