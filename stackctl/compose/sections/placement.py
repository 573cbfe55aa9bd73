"""`deploy.placement`: where tasks may run, and where they had better.

Keys of ours, which other tools ignore because they begin with `x-`:

    x-prefer               constraints that a node had better meet
    x-anti-affinity        services whose tasks share no node with these: a list, or a mapping of
                           `required` (never) and `preferred` (only where there is no other node)
    x-rebalance            whether tasks move by themselves: never or auto
    x-stay-with-volumes    whether a task with a volume of one node is placed there again
"""

from collections.abc import Mapping
from typing import NamedTuple

from stackctl.compose.document import ApartFrom
from stackctl.compose.grammar.constraints import (
    LABEL_PREFIXES,
    ConstraintError,
    is_label_key,
    near_keys,
    parse_constraint,
)
from stackctl.compose.problems import shown
from stackctl.compose.sections.own_keys import APART, PREFER, REBALANCE, STAY
from stackctl.compose.sections.reading import Fields, Reader, Value
from stackctl.compose.sections.scalars import boolean, choice, filled_text, integer, text
from stackctl.model.specs import Placement, Rebalance


class ReadPlacement(NamedTuple):
    """The placement, the services to keep apart from, and all `x-` keys as they stand."""

    placement: Placement = Placement()
    apart: tuple[ApartFrom, ...] = ()
    extensions: Mapping[str, object] = {}


def read_placement(value: Value) -> ReadPlacement:
    """The section `placement`."""
    fields = Fields(value)
    extensions = fields.extensions()
    placement = Placement(
        constraints=fields.read("constraints", _constraints, ()),
        spread=fields.read("preferences", _preferences, ()),
        replicas_per_node_max=fields.read("max_replicas_per_node", integer(), 0),
        prefer=fields.read(PREFER, _constraints, ()),
        stays_with_volumes=fields.read(STAY, boolean, True),
        rebalance=fields.read(REBALANCE, choice(Rebalance, Rebalance.NEVER), Rebalance.NEVER),
    )
    apart = fields.read(APART, _apart, ())
    fields.finish()
    return ReadPlacement(placement, apart, extensions)


def _apart(value: Value) -> tuple[ApartFrom, ...]:
    if not value.is_mapping():
        return _services(required=True)(value)
    fields = Fields(value)
    found = (
        *fields.read("required", _services(required=True), ()),
        *fields.read("preferred", _services(required=False), ()),
    )
    fields.finish()
    return found


def _services(*, required: bool) -> Reader[tuple[ApartFrom, ...]]:
    def read(value: Value) -> tuple[ApartFrom, ...]:
        items = value.items("a list of services")
        return tuple(ApartFrom(filled_text(item), item.place, required=required) for item in items)

    return read


def _constraints(value: Value) -> tuple[str, ...]:
    found: list[str] = []
    for item in value.items("a list of constraints"):
        written = text(item)
        if not isinstance(item.written, str):
            continue
        found.append(written)
        try:
            parse_constraint(written)
        except ConstraintError as error:
            wrong = error.wrong_key
            hint = item.reading.log.near(wrong, near_keys(wrong)) if wrong else None
            item.problem(f"invalid constraint {shown(written)!r}: {error}", hint)
    return tuple(found)


def _preferences(value: Value) -> tuple[str, ...]:
    found: list[str] = []
    for item in value.items("a list of preferences"):
        fields = Fields(item)
        spread = fields.get("spread")
        fields.finish()
        if spread is None:
            if item.is_mapping():
                item.problem("no spread is given", "write - spread: node.labels.NAME")
            continue
        key = text(spread)
        if not is_label_key(key) and isinstance(spread.written, str):
            spread.problem(
                f"tasks spread over {' or '.join(f'{prefix}NAME' for prefix in LABEL_PREFIXES)}"
            )
        found.append(key)
    return tuple(found)
