"""The whole table, in the order in which the documentation shows it."""

from stackctl.compose.verdicts.container import CONTAINER
from stackctl.compose.verdicts.objects import OBJECTS
from stackctl.compose.verdicts.rules import Rule
from stackctl.compose.verdicts.services import SERVICES

RULES: tuple[Rule, ...] = (*CONTAINER, *SERVICES, *OBJECTS)


def keys_of(rule: Rule) -> tuple[str, ...]:
    """The patterns of all keys that a rule is about: its own, and those of its parts."""
    joined = (part if part.startswith("[") else f".{part}" for part in rule.parts)
    return (rule.pattern, *(f"{rule.pattern}{part}" for part in joined))
