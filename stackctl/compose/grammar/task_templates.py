"""Templates that a node fills in for each task: `{{.Task.Slot}}` and its kin, as Swarm has them.

They are allowed in the host name and in values of the environment. Other text in double braces,
such as a format for some program, stays as it is; only what begins like one of Swarm's places and
is none of them is an error.
"""

import re

PLACES = (
    ".Service.ID",
    ".Service.Name",
    ".Node.ID",
    ".Node.Hostname",
    ".Task.ID",
    ".Task.Name",
    ".Task.Slot",
)

_TEMPLATE = re.compile(r"\{\{-?\s*((?:index\s+)?\.(?:Service|Node|Task)\b[^{}]*?)\s*-?\}\}")
_LABEL = re.compile(r'\.Service\.Labels\.\S+|index\s+\.Service\.Labels\s+"[^"]*"')


def has_template(text: str) -> bool:
    """True when a node would fill something in."""
    return _TEMPLATE.search(text) is not None


def unknown_template(text: str) -> str | None:
    """The first template in the text that no node knows, or None."""
    for found in _TEMPLATE.finditer(text):
        place = found.group(1)
        if place not in PLACES and not _LABEL.fullmatch(place):
            return found.group(0)
    return None
