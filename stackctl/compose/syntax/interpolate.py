"""Variables in every value of the document; keys are left as they are.

The values come from where the command runs: its environment, then `.env`. A variable that is not
set and has no default becomes empty text, with a note.
"""

from collections.abc import Mapping

from stackctl.compose.problems import Path, Place, Position, ProblemLog, shown
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
        return _Interpolation(variables, log).node(node, ())
    except _TooLong:
        return node


class _Interpolation:
    def __init__(self, variables: Variables, log: ProblemLog) -> None:
        self._variables = variables
        self._log = log
        self._shared = variables.shared

    def node(self, node: tree.Node, path: Path) -> tree.Node:
        if isinstance(node, tree.Scalar):
            return self._scalar(node, path)
        if isinstance(node, tree.Sequence):
            items = tuple(self.node(item, (*path, index)) for index, item in enumerate(node.items))
            return tree.Sequence(items, node.position, node.tag)
        entries = {
            entry.key: tree.Entry(
                entry.key, entry.key_position, self.node(entry.value, (*path, entry.key))
            )
            for entry in node
        }
        return tree.Mapping(entries, node.position, node.tag)

    def _scalar(self, node: tree.Scalar, path: Path) -> tree.Scalar:
        if not isinstance(node.value, str) or "$" not in node.value:
            return node
        place = Place(node.position, path)
        try:
            found = substitute(node.value, self._variables)
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
