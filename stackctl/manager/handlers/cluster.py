"""The cluster itself: `GET /v1/cluster`, and the long poll `GET /v1/changes`."""

import stackctl
from stackctl.errors import ClusterUnavailable
from stackctl.manager import cluster_tokens
from stackctl.manager.calls import Call
from stackctl.manager.parts import Parts
from stackctl.model.structs import StrictModel
from stackctl.state.cluster import ClusterState
from stackctl.wire import api

POLL_SECONDS_MAX = 30.0
CLUSTER_SECONDS = 1.0  # how long the cluster's view waits for a leader


class ChangesQuery(StrictModel, frozen=True, kw_only=True):
    """After which log index to answer, and after how many seconds at the latest."""

    after: int = 0
    timeout: float = POLL_SECONDS_MAX


async def get_cluster(parts: Parts, call: Call) -> api.ClusterView:
    """The cluster as this manager sees it. Answers without a leader too, from what it has."""
    try:
        state = await parts.cluster.read(timeout_seconds=CLUSTER_SECONDS)
    except ClusterUnavailable:
        state = parts.cluster.state
    leadership = parts.cluster.leadership
    leader_id = leadership.leader_id or ""
    leader = state.nodes.get(leader_id)
    addresses = parts.cluster.api_addresses()
    worker_token, manager_token = _tokens(state) if call.caller.is_operator else ("", "")
    return api.ClusterView(
        cluster_id=parts.identity.cluster_id,
        manager_id=parts.identity.node_id,
        leader_id=leader_id,
        term=leadership.term,
        index=state.index,
        managers=tuple(addresses),
        addresses=tuple(addresses.values()),
        version=stackctl.__version__,
        leader=leader.hostname if leader is not None else "",
        worker_join_token=worker_token,
        manager_join_token=manager_token,
    )


async def get_changes(parts: Parts, call: Call) -> api.ChangesView:
    """Waits until something after an index was applied here, or until time is up."""
    query: ChangesQuery = call.query
    timeout = min(max(query.timeout, 0.0), POLL_SECONDS_MAX)
    index = await parts.cluster.wait_beyond(query.after, timeout_seconds=timeout)
    return api.ChangesView(index=index)


def _tokens(state: ClusterState) -> tuple[str, str]:
    if state.cluster is None:
        return "", ""
    tokens = cluster_tokens.tokens_of(state.cluster)
    return tokens.worker, tokens.manager
