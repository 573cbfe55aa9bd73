"""The files of one load as one positioned tree.

    each document of each file      variables into its values
      include                       what other projects make, below what the document says
      extends                       each service complete
    the documents in their order    each over those before it
    profiles                        services that are off leave

A *project* is a folder with variables, and the files that are read in it: the one that the load
starts with, and one for each inclusion. A *layer* is a document when it is ready to be merged.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from stackctl.compose import read
from stackctl.compose.grammar.names import checked_name
from stackctl.compose.merging.extends import Extending, Source
from stackctl.compose.merging.files import ComposeFile, Files, compose_file
from stackctl.compose.merging.identities import text_of
from stackctl.compose.merging.includes import (
    INCLUDE,
    SECTIONS,
    Inclusion,
    Located,
    included_path,
    is_elsewhere,
    read_include,
    with_inherited,
)
from stackctl.compose.merging.merge import Merging, TooMuch, without_tags
from stackctl.compose.merging.profiles import switched
from stackctl.compose.merging.rebase import rebased
from stackctl.compose.merging.rules import first_step, step_at
from stackctl.compose.merging.sources import (
    DOTENV_FILE,
    STACK_NAME_VARIABLE,
    Sources,
    active_profiles,
    dotenv_variables,
    explicit_name,
    find_sources,
    name_from,
    required_variables,
    with_stack_name,
)
from stackctl.compose.problems import Place, Position, ProblemLog, shown
from stackctl.compose.request import LoadRequest
from stackctl.compose.syntax.interpolate import Variables, interpolate
from stackctl.compose.syntax.tree import Entry, Mapping, Node, Scalar, broken, count, kind_of
from stackctl.compose.syntax.yaml_tree import NODES_MAX
from stackctl.errors import InputError

INCLUDE_DEPTH_MAX = 32

# A name that never leaves: there is none because something is wrong, which has been reported.
_PLACEHOLDER = "stack"


class Assembled(NamedTuple):
    """The merged tree, and what its readers need to know."""

    root: Node
    name: str
    base: Path
    variables: Variables
    files: tuple[str, ...]
    profiles: frozenset[str]
    switched_off: tuple[str, ...]


class Project(NamedTuple):
    """A folder whose files are read with the same variables; `chain` are the files being read."""

    base: Path
    variables: Variables
    chain: tuple[str, ...] = ()


def assemble(request: LoadRequest, log: ProblemLog) -> Assembled:
    """The merged tree of a request.

    Raises `InputError` when there is no file to begin with, or no name for the stack.
    """
    sources = find_sources(request, log)
    name = explicit_name(request, sources.variables)
    variables = with_stack_name(sources, name or _PLACEHOLDER)
    root: Node = broken(Position(sources.files[0].shown, 1, 1))
    files = Files(log)
    with suppress(TooMuch):  # which is reported
        _read(sources, files)
        if name is None:
            name = _name(sources, files, log)
            variables = with_stack_name(sources, name)
        project = Project(sources.base, variables)
        root = Assembly(log, files, interpolates=request.interpolate).tree(sources.files, project)
    profiled = switched(root, active_profiles(request, sources.variables), log)
    return Assembled(
        root=profiled.root,
        name=name or _PLACEHOLDER,
        base=sources.base,
        variables=variables,
        files=files.shown,
        profiles=profiled.profiles,
        switched_off=profiled.switched_off,
    )


def stack_name(request: LoadRequest) -> str:
    """The name of the stack alone, without what its files say.

    Raises `InputError` when there is no file to begin with, or no name.
    """
    if request.stack_name is None:
        explicit = request.environment.get(STACK_NAME_VARIABLE)
        request = request._replace(stack_name=explicit or None)
    if request.stack_name is not None:
        return checked_name(request.stack_name, is_local=request.is_local)
    log = ProblemLog()
    sources = find_sources(request, log)
    files = Files(log)
    _read(sources, files)
    return explicit_name(request, sources.variables) or _name(sources, files, log)


def _read(sources: Sources, files: Files) -> None:
    try:
        for file in sources.files:
            files.read(file)
    except read.ReadError as error:
        raise InputError(str(error)) from error


class Assembly:
    """Makes the trees of all projects of one load."""

    def __init__(self, log: ProblemLog, files: Files, *, interpolates: bool) -> None:
        self._log = log
        self._files = files
        self._interpolates = interpolates
        self._merging = Merging(log)
        self._joins = False  # whether the tree has more than one file's values

    def tree(self, files: Sequence[ComposeFile], project: Project) -> Node:
        """The whole tree of the project that the load starts with. Raises `TooMuch`."""
        root = self._project(files, project)
        if self._joins and count(root, NODES_MAX) > NODES_MAX:
            message = f"more than {NODES_MAX} values, counting what extends and include repeat"
            self._log.add(Place(root.position, ()), message)
            raise TooMuch
        return root

    def _project(self, files: Sequence[ComposeFile], project: Project) -> Node:
        extending = Extending(self._log, self._merging, partial(self._other, project, {}))
        root: Node | None = None
        for file in files:
            inside = project._replace(chain=(*project.chain, file.key))
            for document in self._files.used(file):
                layer = self._with_variables(document, project)
                if isinstance(layer, Mapping):
                    own = self._included_below(layer, inside)
                    layer = extending.applied(own, file, base=project.base)
                    self._joins = self._joins or layer is not own
                root = self._settled(layer if root is None else self._over(root, layer))
        return root or broken(Position(files[0].shown, 1, 1))

    def _with_variables(self, document: Node, project: Project) -> Node:
        return (
            interpolate(document, project.variables, self._log) if self._interpolates else document
        )

    def _settled(self, root: Node) -> Node:
        return without_tags(root) if self._files.has_tags else root

    def _over(self, root: Node, layer: Node) -> Node:
        """The layer over the tree so far. What is no mapping stays, for the reader to refuse."""
        self._joins = True
        if not isinstance(root, Mapping) or _is_broken(layer):
            return root
        if not isinstance(layer, Mapping):
            return layer
        return self._merging.merged(root, layer, (), first_step())

    def _included_below(self, own: Mapping, project: Project) -> Mapping:
        entry = own.entries.get(INCLUDE)
        if entry is None:
            return own
        self._joins = True
        rest = {key: found for key, found in own.entries.items() if key != INCLUDE}
        result = Mapping(rest, own.position, own.tag)
        layers: list[Mapping] = []
        for inclusion in read_include(entry, self._log):
            imported = self._imported(inclusion, project)
            if imported is not None:
                result = self._on_top_of(imported, result)
                layers.append(imported)
        return _in_order_of(layers, result)

    def _on_top_of(self, imported: Mapping, own: Mapping) -> Mapping:
        entries = dict(own.entries)
        for section in SECTIONS:
            theirs, ours = imported.entries.get(section), own.entries.get(section)
            if theirs is None:
                continue
            if ours is None:
                entries[section] = theirs
                continue
            value = self._merging.merged(theirs.value, ours.value, (section,), step_at(section))
            entries[section] = Entry(section, ours.key_position, value)
        return Mapping(entries, own.position, own.tag)

    def _imported(self, inclusion: Inclusion, project: Project) -> Mapping | None:
        """The tree of what is included, as seen from the project's folder."""
        if len(project.chain) > INCLUDE_DEPTH_MAX:
            message = f"files include each other over more than {INCLUDE_DEPTH_MAX} steps"
            self._log.add(inclusion.paths[0].place, message)
            return None
        files = [self._included_file(located, project) for located in inclusion.paths]
        known = [file for file in files if file is not None]
        if len(known) < len(files):
            return None
        folder = (known[0].path or project.base).parent
        if inclusion.project_directory is not None:
            text = inclusion.project_directory.text
            folder = included_path(project.base, text, project.variables)
        variables = self._included_variables(inclusion, folder, project)
        root = self._project(known, Project(folder, variables, project.chain))
        if not isinstance(root, Mapping):
            if not _is_broken(root):
                message = f"must be a mapping with services:, not {kind_of(root)}"
                self._log.add(Place(root.position, ()), message)
            return None
        if self._interpolates:
            root = with_inherited(root, variables, project.variables)
        seen = rebased(root, (), written_in=folder, read_from=project.base)
        return seen if isinstance(seen, Mapping) else None

    def _included_file(self, located: Located, project: Project) -> ComposeFile | None:
        path = included_path(project.base, located.text, project.variables)
        file = compose_file(path, Path.cwd())
        if file.key in project.chain:
            circle = project.chain[project.chain.index(file.key) :]
            names = " -> ".join(shown(Path(key).name) for key in (*circle, file.key))
            self._log.add(located.place, f"files include each other in a circle: {names}")
            return None
        return file if self._is_readable(file, located.place) else None

    def _is_readable(self, file: ComposeFile, place: Place) -> bool:
        try:
            self._files.read(file)
        except read.ReadError as error:
            self._log.add(place, str(error))
            return False
        return True

    def _included_variables(
        self, inclusion: Inclusion, folder: Path, project: Project
    ) -> Variables:
        outer = project.variables
        if not inclusion.env_files:
            dotenv = folder / DOTENV_FILE
            found = dotenv_variables(dotenv, outer, self._log)
            return outer.with_last(found, file=str(dotenv))
        found = {}
        for located in inclusion.env_files:
            path = included_path(project.base, located.text, outer)
            inherited = outer.with_last(found, file=located.text)
            try:
                found.update(required_variables(path, located.text, inherited, self._log))
            except read.ReadError as error:
                self._log.add(located.place, str(error))
        return outer.with_last(found, file=inclusion.env_files[0].text)

    def _other(
        self, project: Project, known: dict[str, Source | None], text: str, base: Path, place: Place
    ) -> Source | None:
        """The services of a file that is extended, merged, but not extended themselves yet."""
        if is_elsewhere(text, place, self._log):
            return None
        path = included_path(base, text, project.variables)
        file = compose_file(path, Path.cwd())
        if file.key not in known:
            known[file.key] = self._source(file, path.parent, project, place)
        return known[file.key]

    def _source(
        self, file: ComposeFile, base: Path, project: Project, place: Place
    ) -> Source | None:
        if not self._is_readable(file, place):
            return None
        self._joins = True
        root: Node | None = None
        for document in self._files.used(file):
            layer = self._with_variables(document, project)
            root = layer if root is None else self._settled(self._over(root, layer))
        services = root.entries.get("services") if isinstance(root, Mapping) else None
        if services is not None and isinstance(services.value, Mapping):
            return Source(file.key, file.shown, base, services.value)
        if root is None or not _is_broken(root):
            self._log.add(place, f"{file.shown} has no services to extend")
        return None


def _name(sources: Sources, files: Files, log: ProblemLog) -> str:
    """The name that the last file gives that has one, else the one of the folder."""
    for file in reversed(sources.files):
        for document in reversed(files.read(file)):
            entry = document.entries.get("name") if isinstance(document, Mapping) else None
            if entry is None:
                continue
            only = Mapping({"name": entry}, entry.value.position)
            interpolated = interpolate(only, sources.variables, log)
            value = (
                interpolated.entries["name"].value if isinstance(interpolated, Mapping) else only
            )
            text = text_of(value)
            name = name_from(text or "")
            if name is not None:
                return name
            if text:
                place = Place(entry.value.position, ("name",))
                log.add(place, f"no stack can be called {shown(text)!r}")
            return _PLACEHOLDER
    name = name_from(sources.base.name)
    if name is None:
        raise InputError(
            f"the folder {sources.base} gives no name to a stack", hint="give one with -p NAME"
        )
    return name


def _in_order_of(layers: list[Mapping], result: Mapping) -> Mapping:
    """The tree with what is included as its files have it, before what the tree adds."""
    entries = dict(result.entries)
    for section in SECTIONS:
        found = entries.get(section)
        if found is None or not isinstance(found.value, Mapping):
            continue
        parts = (layer.entries[section].value for layer in layers if section in layer.entries)
        included = [key for part in parts if isinstance(part, Mapping) for key in part.entries]
        names = dict.fromkeys((*included, *found.value.entries))
        ordered = {name: found.value.entries[name] for name in names if name in found.value.entries}
        value = Mapping(ordered, found.value.position, found.value.tag)
        entries[section] = Entry(section, found.key_position, value)
    return Mapping(entries, result.position, result.tag)


def _is_broken(node: Node) -> bool:
    return isinstance(node, Scalar) and node.broken
