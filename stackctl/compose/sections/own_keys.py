"""The `x-` keys that are stackctl's own, and where in a service they belong."""

from collections.abc import Mapping

from stackctl.compose.sections.reading import Fields

APART = "x-anti-affinity"
PREFER = "x-prefer"
REBALANCE = "x-rebalance"
STAY = "x-stay-with-volumes"
REPLACE_LOST = "x-replace-lost"
ON_CHANGE = "x-on-change"

_PLACES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        (APART, PREFER, REBALANCE, STAY), ("belongs under deploy.placement", "move it there")
    ),
    REPLACE_LOST: ("belongs under deploy.restart_policy", "move it there"),
    ON_CHANGE: (
        "belongs to one of the service's configs or secrets",
        "write configs: [{source: KEY, target: PATH, x-on-change: SIGHUP}]",
    ),
}


def check_own_keys(fields: Fields) -> None:
    """Report keys of ours that stand where nothing reads them."""
    for key, (problem, hint) in _PLACES.items():
        value = fields.get(key) if key in fields else None
        if value is not None:
            value.key_problem(problem, hint)
