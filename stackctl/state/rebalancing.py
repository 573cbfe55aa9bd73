"""Rebalancing asked for by an operator: taken down in the cluster, carried out by rounds."""

from msgspec.structs import replace

from stackctl.model import objects
from stackctl.state import commands
from stackctl.state.cluster import Draft
from stackctl.state.results import conflict


def begin(draft: Draft, command: commands.Rebalance) -> None:
    """Takes down what an operator asked for. Raises Rejection while another run goes on."""
    if draft.cluster is None:
        return
    held = draft.cluster.rebalancing
    if held is not None and not held.ended_at:
        raise conflict(
            "a rebalancing is under way", hint="wait for it, or end it with: rebalance --stop"
        )
    run = objects.Rebalancing(
        started_at=command.now,
        service_ids=command.service_ids,
        allows_stateful=command.allows_stateful,
        moves_left=command.moves_max,
    )
    draft.put_cluster(replace(draft.cluster, rebalancing=run))


def stop(draft: Draft, *, now: float) -> None:
    """Ends the run; a task on its way arrives."""
    run = draft.cluster.rebalancing if draft.cluster is not None else None
    if draft.cluster is not None and run is not None and not run.ended_at:
        draft.put_cluster(replace(draft.cluster, rebalancing=replace(run, ended_at=now)))
