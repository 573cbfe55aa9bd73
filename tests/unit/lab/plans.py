"""Plans for the lab's tests."""

from pathlib import Path

from stackctl.lab import plan as planning
from stackctl.lab.plan import LabPlan


def make_plan(
    *,
    name: str = "lab",
    directory: str = "/var/lib/stackctl/lab",
    subnet: str = "10.231.0.0/24",
    nodes: int = 3,
    managers: int = 1,
    engines_only: bool = False,
) -> LabPlan:
    return planning.plan_lab(
        name=name,
        directory=Path(directory),
        subnet=subnet,
        node_count=nodes,
        manager_count=managers,
        with_engines_only=engines_only,
    )
