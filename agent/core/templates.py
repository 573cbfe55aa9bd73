"""Templates in a task's spec: `{{.Task.Slot}}` and its kin, as Swarm allows them.

Allowed in the host name, in values of the environment and in sources and targets of mounts. The
places known are those of Swarm's templates; what begins like one and is none is refused by name.
Other text in double braces is handed to the program as it stands.
"""

import re
from collections.abc import Mapping

from stackctl.errors import PermanentFailure
from stackctl.model.assignment import TaskAssignment

_PLACE = re.compile(r"\{\{-?\s*((?:index\s+)?\.(?:Service|Node|Task)\b[^{}]*?)\s*-?\}\}")
_LABEL = re.compile(r'index\s+\.Service\.Labels\s+"([^"]*)"')


def places_of(task: TaskAssignment, *, node_id: str) -> Mapping[str, str]:
    """What each place stands for in the spec of this task."""
    # A global task is told apart by its node, as its name already says.
    slot = str(task.slot) if task.slot else node_id
    return {
        ".Service.ID": task.service_id,
        ".Service.Name": task.service_name,
        ".Node.ID": node_id,
        ".Node.Hostname": task.node_hostname,
        ".Task.ID": task.id,
        ".Task.Name": task.name,
        ".Task.Slot": slot,
        **{f".Service.Labels.{name}": value for name, value in task.labels.items()},
    }


def expand(text: str, places: Mapping[str, str]) -> str:
    """The text with every place filled in. Raises PermanentFailure for a place that is unknown."""
    if "{{" not in text:
        return text

    def fill(match: re.Match[str]) -> str:
        place = match.group(1)
        label = _LABEL.fullmatch(place)
        if label:
            return places.get(f".Service.Labels.{label.group(1)}", "")
        if place not in places:
            raise PermanentFailure(f"unknown template {match.group(0)} in {text!r}")
        return places[place]

    return _PLACE.sub(fill, text)
