"""The whole table, in the order in which the documentation shows it."""

from typing import NamedTuple

from stackctl.compose.verdicts import builds, container, objects, services
from stackctl.compose.verdicts.rules import Rule


class Section(NamedTuple):
    """A part of the table under a heading of its own."""

    title: str
    rules: tuple[Rule, ...]


SECTIONS = (
    Section("The file", objects.TOP),
    Section("A service's container", container.CONTAINER),
    Section("How its image is built", builds.BUILDS),
    Section("Health checks", container.HEALTHCHECK),
    Section("Ports", container.PORTS),
    Section("Mounts", container.VOLUMES),
    Section("A service among others", services.TOGETHER),
    Section("A service's networks", services.NETWORKS),
    Section("A service's configs and secrets", services.OBJECTS),
    Section("Deploy", services.DEPLOY),
    Section("Networks", objects.NETWORKS),
    Section("Volumes", objects.VOLUMES),
    Section("Configs", objects.CONFIGS),
    Section("Secrets", objects.SECRETS),
)

RULES: tuple[Rule, ...] = tuple(rule for section in SECTIONS for rule in section.rules)


def keys_of(rule: Rule) -> tuple[str, ...]:
    """The patterns of all keys that a rule is about: its own, and those of its parts."""
    joined = (part if part.startswith("[") else f".{part}" for part in rule.parts)
    return (rule.pattern, *(f"{rule.pattern}{part}" for part in joined))
