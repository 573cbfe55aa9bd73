"""Who is silent for too long, and who gets a grace."""

from stackctl.manager.forwarding import Beat, Beats, take_beats
from stackctl.manager.liveness import Liveness
from stackctl.model.objects import Node, NodeRole, NodeState
from tests.manager_parts import description

DOWN_SECONDS = 3.0


def node(node_id: str, *, session: str = "me", state: NodeState = NodeState.READY) -> Node:
    return Node(
        id=node_id,
        role=NodeRole.WORKER,
        description=description(node_id),
        state=state,
        session_manager_id=session,
    )


def silent(liveness: Liveness, *nodes: Node, now: float) -> list[str]:
    found = liveness.silences(nodes, now=now, down_seconds=DOWN_SECONDS)
    return [silence.node.id for silence in found]


def test_a_node_is_silent_once_its_time_is_over() -> None:
    liveness = Liveness(self_id="me")
    liveness.hear("n1", at=10.0)
    assert silent(liveness, node("n1"), now=12.99) == []
    assert silent(liveness, node("n1"), now=13.0) == ["n1"]
    deadline = liveness.next_deadline([node("n1")], now=11.0, down_seconds=DOWN_SECONDS)
    assert deadline == 13.0


def test_nodes_that_are_down_or_never_came_are_not_judged() -> None:
    liveness = Liveness(self_id="me")
    liveness.hear("n1", at=10.0)
    assert silent(liveness, node("n1", state=NodeState.DOWN), now=100.0) == []
    assert silent(liveness, node("n1", session="", state=NodeState.UNKNOWN), now=100.0) == []
    nodes = [node("n1", state=NodeState.DOWN)]
    assert liveness.next_deadline(nodes, now=0, down_seconds=DOWN_SECONDS) is None


def test_a_node_whose_agent_is_waited_for_is_judged_again_and_again() -> None:
    liveness = Liveness(self_id="me")
    liveness.hear("n1", at=10.0)
    waited_for = node("n1", state=NodeState.UNKNOWN)
    assert silent(liveness, waited_for, now=13.0) == ["n1"]
    assert silent(liveness, waited_for, now=14.0) == ["n1"]
    assert liveness.silence_seconds("n1", now=14.0) == 4.0


def test_a_node_that_was_never_heard_of_counts_from_the_first_look() -> None:
    liveness = Liveness(self_id="me")
    assert silent(liveness, node("n1"), now=50.0) == []
    assert silent(liveness, node("n1"), now=53.0) == ["n1"]


def test_a_grace_counts_silence_anew_but_never_backwards() -> None:
    liveness = Liveness(self_id="me")
    liveness.hear("n1", at=10.0)
    liveness.grant_grace(["n1"], at=20.0)
    liveness.grant_grace(["n1"], at=15.0)
    assert silent(liveness, node("n1"), now=22.9) == []


def test_a_node_behind_a_silent_manager_gets_more_time() -> None:
    liveness = Liveness(self_id="me")
    liveness.hear("n1", at=10.0)
    liveness.hear_messenger("other", at=10.0)
    behind = node("n1", session="other")
    assert silent(liveness, behind, now=13.1) == []
    assert silent(liveness, behind, now=15.0) == ["n1"]


def test_a_node_that_its_living_manager_no_longer_hears_gets_none() -> None:
    liveness = Liveness(self_id="me")
    liveness.hear("n1", at=10.0)
    liveness.hear_messenger("other", at=12.9)
    assert silent(liveness, node("n1", session="other"), now=13.0) == ["n1"]


def test_the_node_of_the_silent_manager_itself_gets_none() -> None:
    liveness = Liveness(self_id="me")
    liveness.hear("other", at=10.0)
    liveness.hear_messenger("other", at=10.0)
    assert silent(liveness, node("other", session="other"), now=13.0) == ["other"]


def test_forwarded_heartbeats_count_by_their_age() -> None:
    liveness = Liveness(self_id="me")
    beats = Beats(
        beats=(
            Beat(node_id="n1", age_seconds=0.5, acknowledged_index=7),
            Beat(node_id="n2", age_seconds=2.9, acknowledged_index=3),
        )
    )
    take_beats(beats, manager_id="other", liveness=liveness, now=100.0)
    nodes = [node("n1", session="other"), node("n2", session="other")]
    liveness.hear_messenger("other", at=100.2)
    assert silent(liveness, *nodes, now=100.2) == ["n2"]
    assert liveness.acknowledged == {"n1": 7, "n2": 3}


def test_only_a_newer_acknowledgement_is_news() -> None:
    liveness = Liveness(self_id="me")
    news: list[int] = []
    liveness.subscribe_acknowledged(lambda: news.append(1))
    for index in (5, 5, 6, 0):
        liveness.acknowledge("n1", index)
    assert len(news) == 2
    assert liveness.acknowledged == {"n1": 0}
    liveness.forget(["n1"])
    assert liveness.acknowledged == {}
