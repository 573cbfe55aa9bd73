"""Generic resources of a node: what it offers beside cpus and memory, in the engine's own notation.

`SSD=3` is a kind of which only the number counts; `GPU=UUID1` names one piece, and a kind may have
many. The engine's setting `node-generic-resources` and the agent's own flag say the same; where
both name a kind, the flag holds. Kinds are compared letter by letter. A task finds what it was
given in its environment: `DOCKER_RESOURCE_GPU=UUID1,UUID2`, or the number.
"""

import re
from collections.abc import Iterable, Mapping

from stackctl.errors import InputError
from stackctl.model.structs import Model

_OFFER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=([A-Za-z0-9_.:/-]+)")
_PREFIX = "DOCKER_RESOURCE_"


class Offer(Model, frozen=True, kw_only=True):
    """Kinds with a number, and kinds with the names of their pieces."""

    counts: Mapping[str, int] = {}
    names: Mapping[str, tuple[str, ...]] = {}

    def over(self, other: "Offer") -> "Offer":
        """Both; where both have a kind, this one's."""
        mine = {*self.counts, *self.names}
        return Offer(
            counts={**{k: v for k, v in other.counts.items() if k not in mine}, **self.counts},
            names={**{k: v for k, v in other.names.items() if k not in mine}, **self.names},
        )


def parse_offers(texts: Iterable[str]) -> Offer:
    """What those texts offer, each `KIND=NUMBER` or `KIND=NAME`, several between commas. Raises
    InputError.
    """
    counts: dict[str, int] = {}
    names: dict[str, tuple[str, ...]] = {}
    for text in (part.strip() for whole in texts for part in whole.split(",")):
        found = _OFFER.fullmatch(text)
        if found is None:
            raise InputError(
                f"generic resource {text!r} is not KIND=NUMBER or KIND=NAME",
                hint="write for example --generic-resource SSD=2 or --generic-resource GPU=UUID1",
            )
        kind, value = found.groups()
        is_count = value.isdigit()
        if kind in counts or (kind in names and is_count):
            raise InputError(f"generic resource {kind} is either one number or names")
        if is_count:
            counts[kind] = int(value)
        elif value not in names.get(kind, ()):
            names[kind] = (*names.get(kind, ()), value)
    return Offer(counts=counts, names=names)


def environment(wanted: Mapping[str, int], given: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The variables that tell a task what it was given."""
    return tuple(
        f"{_PREFIX}{kind.upper()}={','.join(given.get(kind, ())) or number}"
        for kind, number in sorted(wanted.items())
    )
