"""`depends_on`, `links`, `external_links`, `volumes_from`: a service's ties to other containers."""

from stackctl.compose.parts.relations import (
    Condition,
    Dependency,
    ExternalLink,
    Link,
    VolumesFrom,
)
from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import boolean, choice, filled_text

CONTAINER_PREFIX = "container:"

_ACCESS_WORDS = ("ro", "rw")
_LOOKS_ALIKE = {
    "started": Condition.STARTED,
    "healthy": Condition.HEALTHY,
    "completed": Condition.COMPLETED,
}


def read_depends_on(value: Value) -> tuple[Dependency, ...]:
    """What the service waits for: a list of services, or a mapping with a condition for each."""
    if value.is_mapping():
        return tuple(_dependency(key, inner) for key, inner in value.entries().items())
    found: dict[str, Dependency] = {}
    for item in value.items("a list or a mapping of services"):
        key = filled_text(item)
        if key in found:
            item.problem(f"service {shown(key)} is named twice")
        found[key] = Dependency(key, item.place)
    return tuple(found.values())


def read_links(value: Value) -> tuple[Link, ...]:
    """`SERVICE[:ALIAS]`, each once."""
    found: dict[tuple[str, str], Link] = {}
    for item in value.items("a list of services"):
        key, alias = _with_alias(item, "SERVICE[:ALIAS]")
        found.setdefault((key, alias), Link(key, alias, item.place))
    return tuple(found.values())


def read_external_links(value: Value) -> tuple[ExternalLink, ...]:
    """`CONTAINER[:ALIAS]`, each once."""
    found: dict[tuple[str, str], ExternalLink] = {}
    for item in value.items("a list of containers"):
        container, alias = _with_alias(item, "CONTAINER[:ALIAS]")
        if (container, alias) in found:
            item.problem(f"{shown(container)} is named twice")
        found[container, alias] = ExternalLink(container, alias, item.place)
    return tuple(found.values())


def read_volumes_from(value: Value) -> tuple[VolumesFrom, ...]:
    """`SERVICE[:ro|rw]` or `container:NAME[:ro|rw]`, each once."""
    found: dict[tuple[str, bool], VolumesFrom] = {}
    for item in value.items("a list of services"):
        use = _volumes_from(item)
        if (use.source, use.is_container) in found:
            item.problem(f"{shown(use.source)} is named twice")
        found[use.source, use.is_container] = use
    return tuple(found.values())


def _dependency(key: str, value: Value) -> Dependency:
    fields = Fields(value, "a mapping with condition:")
    condition = fields.get("condition")
    dependency = Dependency(
        key,
        value.key_place,
        condition=Condition.STARTED if condition is None else _condition(condition),
        restart=fields.read("restart", boolean, False),
        required=fields.read("required", boolean, True),
    )
    fields.finish()
    if condition is None and value.is_mapping():
        value.key_problem("no condition is given", f"add condition: {Condition.STARTED}")
    return dependency


def _condition(value: Value) -> Condition:
    meant = _LOOKS_ALIKE.get(str(value.written))
    if meant is not None:
        value.problem(f"{value.written} is no condition", f"did you mean {meant.value}?")
        return meant
    return choice(Condition, Condition.STARTED)(value)


def _with_alias(item: Value, form: str) -> tuple[str, str]:
    written = filled_text(item)
    name, colon, alias = written.partition(":")
    if written and (not name or (colon and not alias) or ":" in alias):
        item.problem(f"{shown(written)!r} is not {form}")
    return name, alias or name


def _volumes_from(item: Value) -> VolumesFrom:
    written = filled_text(item)
    rest = written.removeprefix(CONTAINER_PREFIX)
    source, colon, access = rest.partition(":")
    if written and (not source or (colon and access not in _ACCESS_WORDS)):
        item.problem(
            f"{shown(written)!r} is neither SERVICE[:ro] nor container:NAME[:ro]",
            "after the name comes ro or rw" if source and access else None,
        )
    return VolumesFrom(source, item.place, is_container=rest != written, read_only=access == "ro")
