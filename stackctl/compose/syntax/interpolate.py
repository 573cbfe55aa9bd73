"""Variables in every value of the document; keys are left as they are.

The values come from where the command runs: its environment, then `.env`. A variable that is not
set and has no default becomes empty text, with a note.
"""

from collections.abc import Mapping

from stackctl.compose.problems import Place, Position, ProblemLog, shown
from stackctl.compose.syntax import tree
from stackctl.compose.syntax.template import TemplateError, substitute

# All interpolated texts of a load together; see `template.LENGTH_MAX`.
TOTAL_LENGTH_MAX = 16 << 20


class _Shared:
    """What all interpolations of one load count together."""

    def __init__(self) -> None:
        self.noted: set[str] = set()
        self.used: dict[str, str | None] = {}
        self.length = 0


class Variables:
    """The variables of one load; the first mapping that has a name wins."""

    def __init__(
        self,
        *sources: Mapping[str, str],
        file: str,
        log: ProblemLog,
        shared: _Shared | None = None,
    ) -> None:
        self._sources = sources
        self._place = Place(Position(file, 1, 1), ())
        self._log = log
        self.shared = shared or _Shared()
        self._known: dict[str, str | None] = {}

    @property
    def used(self) -> Mapping[str, str | None]:
        """The variables that were looked up; None is one that is not set."""
        return self.shared.used

    def with_first(self, nearer: Mapping[str, str]) -> "Variables":
        """`nearer`, then these; what is noted once is noted once for both."""
        return self._with((nearer, *self._sources), self._place.position.file)

    def with_last(self, further: Mapping[str, str], *, file: str) -> "Variables":
        """These, then `further` from a file for names that are not among them."""
        return self._with((*self._sources, further), file)

    def _with(self, sources: tuple[Mapping[str, str], ...], file: str) -> "Variables":
        return Variables(*sources, file=file, log=self._log, shared=self.shared)

    def __call__(self, name: str) -> str | None:
        """The value of a variable, None when it is not set."""
        if name not in self._known:
            self._known[name] = self.setting(name)
            self.shared.used.setdefault(name, self._known[name])
        return self._known[name]

    def setting(self, name: str) -> str | None:
        """The same for our own purposes: nothing that the files use."""
        for source in self._sources:
            if name in source:
                return self._checked(name, source[name])
        return None

    def _checked(self, name: str, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            self._log.add(self._place, f"variable {shown(name)} is not UTF-8 text")
            return ""
        if "\0" in value:
            self._log.add(self._place, f"variable {shown(name)} has a NUL character")
        return value


class _TooLong(Exception):
    """Interpolation cannot go on; the problem has been recorded."""


def interpolate(node: tree.Node, variables: Variables, log: ProblemLog) -> tree.Node:
    """The tree with the values of variables in place; what is wrong goes to `log`."""
    try:
        return _Interpolation(variables, log).node(node)
    except _TooLong:
        return node


class _Interpolation:
    def __init__(self, variables: Variables, log: ProblemLog) -> None:
        self._variables = variables
        self._log = log
        self._shared = variables.shared
        self._path: list[str | int] = []  # of the node at hand

    def node(self, node: tree.Node) -> tree.Node:
        """The node with values in place; where no variable is, it is the same node."""
        if isinstance(node, tree.Scalar):
            if isinstance(node.value, str) and "$" in node.value:
                return self._scalar(node, node.value)
            return node
        if isinstance(node, tree.Sequence):
            return self._sequence(node)
        return self._mapping(node)

    def _sequence(self, node: tree.Sequence) -> tree.Sequence:
        items: list[tree.Node] = []
        changed = False
        for index, item in enumerate(node.items):
            self._path.append(index)
            value = self.node(item)
            self._path.pop()
            changed = changed or value is not item
            items.append(value)
        return tree.Sequence(tuple(items), node.position, node.tag) if changed else node

    def _mapping(self, node: tree.Mapping) -> tree.Mapping:
        entries = dict(node.entries)
        changed = False
        for key, entry in node.entries.items():
            self._path.append(key)
            value = self.node(entry.value)
            self._path.pop()
            if value is not entry.value:
                changed = True
                entries[key] = tree.Entry(key, entry.key_position, value)
        return tree.Mapping(entries, node.position, node.tag) if changed else node

    def _scalar(self, node: tree.Scalar, text: str) -> tree.Scalar:
        place = Place(node.position, tuple(self._path))
        try:
            found = substitute(text, self._variables)
        except TemplateError as error:
            self._log.add(place, str(error), error.hint)
            return tree.broken(node.position)
        for name in found.not_set:
            if name not in self._shared.noted:
                self._shared.noted.add(name)
                self._log.note(place, f"variable {name} is not set, so it is taken as empty")
        self._shared.length += len(found.text)
        if self._shared.length > TOTAL_LENGTH_MAX:
            self._log.add(place, f"variables add more than {TOTAL_LENGTH_MAX} characters")
            raise _TooLong
        return tree.Scalar(found.text, found.text, node.position, tag=node.tag)
