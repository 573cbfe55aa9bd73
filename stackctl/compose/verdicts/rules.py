"""The words of the table: a rule says what becomes of one key for each target.

Terms: a *pattern* is the path of a key with `*` for a name that the user chose and `[]` for an item
of a list (`services.*.ports[].host_ip`). A rule may hold for some values only (`When`); of several
rules with one pattern the first that fits decides. `parts` are keys below that share the verdict.
A pattern without a rule of its own (`services.*.deploy`) has no verdict: it is its keys.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from stackctl.compose.syntax import tree


class Target(StrEnum):
    """What a file is read for."""

    CLUSTER = "cluster"
    LOCAL = "local"


class Kind(StrEnum):
    """What becomes of a key."""

    HONOURED = "honoured"
    EMULATED = "emulated"
    REFUSED = "refused"


class Verdict(NamedTuple):
    """`text` is a remark (honoured), how it is done (emulated), or the reason (refused).

    A refusal is `firm` where leaving the key out would expose what it protects.
    """

    kind: Kind
    text: str = ""
    fix: str = ""  # what to write instead; refused only
    firm: bool = False


class When(NamedTuple):
    """Which values a rule is for, in words that follow the key (`set to service:NAME`)."""

    words: str
    holds: Callable[[tree.Node], bool]


class Rule(NamedTuple):
    """One row of the table."""

    pattern: str
    cluster: Verdict
    local: Verdict
    when: When | None = None
    parts: tuple[str, ...] = ()

    def verdict(self, target: Target) -> Verdict:
        """What becomes of the key for a target."""
        return self.cluster if target is Target.CLUSTER else self.local


HONOURED = Verdict(Kind.HONOURED)


def honoured(remark: str) -> Verdict:
    """Done as Compose does it, and something is worth knowing about it."""
    return Verdict(Kind.HONOURED, remark)


def emulated(how: str) -> Verdict:
    """Done in another way than Docker's tools do it."""
    return Verdict(Kind.EMULATED, how)


def refused(reason: str, fix: str, *, firm: bool = False) -> Verdict:
    """Not done; `fix` says what to write instead. If `firm`, leniency does not help."""
    return Verdict(Kind.REFUSED, reason, fix, firm)


def rule(
    pattern: str,
    cluster: Verdict = HONOURED,
    local: Verdict | None = None,
    *,
    when: When | None = None,
    parts: str = "",
) -> Rule:
    """A row; without `local` both targets share the verdict, `parts` are parted by blanks."""
    return Rule(pattern, cluster, cluster if local is None else local, when, tuple(parts.split()))


def rules(
    prefix: str, keys: str, cluster: Verdict = HONOURED, local: Verdict | None = None
) -> tuple[Rule, ...]:
    """A row for each of several keys of one mapping that share a verdict."""
    return tuple(rule(f"{prefix}.{key}" if prefix else key, cluster, local) for key in keys.split())


def text_when(words: str, holds: Callable[[str], bool]) -> When:
    """A rule for some texts."""
    return When(words, lambda node: isinstance(node, tree.Scalar) and holds(node.text))


def true_when(words: str = "set to true") -> When:
    """A rule for a switch that is on, also as text, which a variable may have brought."""
    return text_when(words, lambda text: text.lower() in ("true", "yes", "y", "on"))
