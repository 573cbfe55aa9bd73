"""The names of top-level objects, and which of them somebody else has made.

An object of the file is called STACK_KEY unless `name:` says otherwise; an external one has the
name that it is given, or its key. Nothing else can be said about an external object.
"""

from typing import NamedTuple

from stackctl.compose.grammar.names import full_name, object_name_complaint
from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import boolean, filled_text


class Naming(NamedTuple):
    """What an object is called, and whether somebody else has made it."""

    name: str
    external: bool
    given: Value | None  # where the name is written; None when it is made of the key


def read_naming(
    fields: Fields, *, key: str, value: Value, stack_name: str, length_max: int
) -> Naming:
    """The name of the object that the file calls `key`."""
    given = fields.get("name")
    external_value = fields.get("external")
    external = external_value is not None and _is_external(external_value)
    if external_value is not None and external_value.is_mapping():
        given = _deprecated_name(external_value, given)
    if given is None:
        name = key if external else full_name(stack_name, key)
    else:
        name = filled_text(given)
    complaint = object_name_complaint(name, length_max) if name else None
    if complaint:
        (given or value).key_problem(complaint)
    return Naming(name, external, given)


def refuse_beside_external(value: Value) -> None:
    """Report whatever is said of an external object beside its name."""
    for key, inner in value.entries().items() if value.is_mapping() else ():
        if key not in ("name", "external") and not key.startswith("x-"):
            inner.key_problem(
                "cannot be said of an object that is external",
                "remove it, or remove external:",
            )


def _is_external(value: Value) -> bool:
    return value.is_mapping() or boolean(value)


def _deprecated_name(external: Value, given: Value | None) -> Value | None:
    """`external: {name: NAME}`, the old way to write `external: true` and `name: NAME`."""
    fields = Fields(external)
    inner = fields.get("name")
    fields.finish()
    if inner is not None and given is not None and inner.written != given.written:
        inner.problem(
            f"the object is already named {shown(str(given.written))}", "keep one of the names"
        )
    return given if inner is None else inner
