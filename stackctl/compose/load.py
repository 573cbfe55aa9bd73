"""The door of the package: Compose files in, one document or stack out, or all their problems.

assemble    files -> one merged tree with every value's own place
judge       what the target does with each key; what it cannot do is refused, or left out
read        tree -> typed document
check       across sections
convert     document -> spec (for a cluster)
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from stackctl.compose.built_images import with_built_images, without_building
from stackctl.compose.checks import check_document
from stackctl.compose.contents import Contents, Purpose, Wanted, wanted_contents
from stackctl.compose.convert import convert
from stackctl.compose.document import Document
from stackctl.compose.grammar.names import stack_name_complaint
from stackctl.compose.merging.assemble import Assembled, assemble
from stackctl.compose.problems import ComposeProblems, Note, ProblemLog
from stackctl.compose.request import Loaded, LoadRequest
from stackctl.compose.sections.reading import Reading, Value
from stackctl.compose.sections.top_level import read_document
from stackctl.compose.syntax.tree import Node
from stackctl.compose.verdicts.judge import Judgement, enforce, judge
from stackctl.compose.verdicts.rules import Target
from stackctl.errors import InputError
from stackctl.model.specs import StackSpec

__all__ = ["LoadRequest", "Loaded", "LoadedStack", "examine", "load_document", "load_stack"]


class LoadedStack(NamedTuple):
    """A spec, and what in the file has no effect or is probably not meant."""

    spec: StackSpec
    notes: tuple[Note, ...]


def load_document(request: LoadRequest, target: Target | None) -> Loaded:
    """What the files of a request say. Raises as `examine` does, and `ComposeProblems`."""
    loaded = examine(request, target)
    if loaded.problems:
        raise ComposeProblems(loaded.problems)
    return loaded


def examine(request: LoadRequest, target: Target | None) -> Loaded:
    """As `load_document`, with the problems as a part of what is found.

    Without a target nothing is judged: the document says everything that the files do.

    Raises `InputError` when there is no file to read or the stack's name is none.
    """
    log = ProblemLog()
    assembled = assemble(request, log)
    judgements: tuple[Judgement, ...] = ()
    document = Document()
    if request.interpolate:
        judgements = judge(assembled.root, target) if target else ()
        judgements = without_building(judgements, request.images)
        document = _document(assembled, judgements, log, target=target, request=request)
        document = with_built_images(document, request.images)
        if request.checks:
            check_document(document, log, target, stack_name=assembled.name)
    return Loaded(
        name=assembled.name,
        root=assembled.root,
        judgements=judgements,
        document=document,
        problems=log.problems(),
        notes=log.notes(),
        files=assembled.files,
        variables=assembled.variables.used,
        profiles=assembled.profiles,
        switched_off=assembled.switched_off,
    )


def load_stack(
    paths: Sequence[str], stack_name: str, *, environment: Mapping[str, str]
) -> StackSpec:
    """The spec of the stack in the files at `paths`, as `deploy` reads them.

    Raises `ComposeProblems` with everything that is wrong in the files, and `InputError` when there
    is no file to read or the stack's name is none.
    """
    return load_stack_with_notes(paths, stack_name, environment=environment).spec


def load_stack_with_notes(
    paths: Sequence[str], stack_name: str, *, environment: Mapping[str, str]
) -> LoadedStack:
    """As `load_stack`, and with the notes that a user should see beside the spec."""
    return load_request_stack(
        LoadRequest(environment=environment, paths=paths, stack_name=stack_name)
    )


def load_request_stack(request: LoadRequest) -> LoadedStack:
    """The stack that a cluster is to run. Raises as `load_document` does."""
    complaint = stack_name_complaint(request.stack_name or "")
    if complaint:
        raise InputError(f"invalid stack name {request.stack_name!r}: {complaint}")
    loaded = load_document(request, Target.CLUSTER)
    return LoadedStack(convert(loaded.document, loaded.name), loaded.notes)


def _document(
    assembled: Assembled,
    judgements: Sequence[Judgement],
    log: ProblemLog,
    *,
    target: Target | None,
    request: LoadRequest,
) -> Document:
    root = assembled.root
    if target is not None:
        root = enforce(root, judgements, log, target=target, lenient=request.lenient)
    reading = Reading(log=log, base=assembled.base, variables=assembled.variables)
    if request.contents is not None:
        reading.contents = _contents(root, assembled, reading, request.contents)
    return read_document(Value(root, path=(), reading=reading), assembled.name)


def _contents(root: Node, assembled: Assembled, reading: Reading, contents: Contents) -> Wanted:
    """Which contents are needed stands in the document that is read without them."""
    if contents.purpose is Purpose.NOTHING:
        return frozenset()
    scratch = msgspec.structs.replace(reading, log=ProblemLog(), contents=frozenset())
    bare = read_document(Value(root, path=(), reading=scratch), assembled.name)
    return wanted_contents(bare, contents)
