"""Proposals and read barriers: sent again when they must be, answered once, never for ever."""

import pytest

from stackctl.errors import ClusterUnavailable, Conflict, StackctlError
from stackctl.manager.raft import envelope
from stackctl.manager.raft.barriers import Barriers
from stackctl.manager.raft.library import now
from stackctl.manager.raft.messages import Change, ChangeAnswer
from stackctl.manager.raft.proposals import Proposal, Proposals, Route
from stackctl.manager.raft.replica import Outcome

LONG = 60.0
ROUTE = Route("n1", 1, 0)


def proposal(key: str, *, seconds: float = LONG, payload: bytes = b"x") -> Proposal:
    return Proposal(
        key,
        deadline=now() + seconds,
        payload=payload,
        read_result=lambda outcome: outcome.result,
    )


def taken(proposals: Proposals, route: Route) -> list[str]:
    return [each.key for each in proposals.take_unsent(route, count_max=100)]


def test_a_proposal_is_sent_once_per_route() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    proposals.submit(proposal("a"))
    proposals.submit(proposal("b"))
    assert taken(proposals, ROUTE) == ["a", "b"]
    assert taken(proposals, ROUTE) == []
    assert taken(proposals, Route("n1", 2, 0)) == ["a", "b"], "the leader's term changed"
    assert taken(proposals, Route("n1", 2, 1)) == ["a", "b"], "the connection was lost"
    proposals.resolve("a", Outcome("applied", 5, b"done"))
    assert taken(proposals, Route("n2", 3, 0)) == ["b"]


def test_every_copy_has_the_base_index_of_the_first() -> None:
    one = proposal("a")
    assert one.entry(base_index=7) == one.entry(base_index=99)
    assert envelope.open_entry(one.entry(base_index=99)) == envelope.Command("a", 7, b"x")


def test_the_same_key_waits_for_the_same_outcome() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    first = proposals.submit(proposal("a", payload=b"first"))
    second = proposals.submit(proposal("a", payload=b"second"))
    proposals.resolve("a", Outcome("applied", 5, b"done"))
    assert (first.result(0), second.result(0)) == (b"done", b"done")


def test_an_outcome_that_nobody_waits_for_is_ignored() -> None:
    Proposals(count_max=10, bytes_max=1000).resolve("other member's", Outcome("applied", 5))


def test_a_failed_apply_is_told_to_the_proposer() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    future = proposals.submit(proposal("a"))
    proposals.resolve("a", Outcome("failed", 5, b"ValueError"))
    with pytest.raises(StackctlError, match="could not apply the change: ValueError"):
        future.result(0)


def test_an_only_copy_that_expired_is_tried_anew_with_a_newer_base() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    future = proposals.submit(proposal("a"))
    (sent,) = proposals.take_unsent(ROUTE, count_max=10)
    old = sent.entry(base_index=1)
    proposals.resolve("a", Outcome("expired", 50))
    assert not future.done()
    (again,) = proposals.take_unsent(ROUTE, count_max=10)
    assert again.entry(base_index=60) != old


def test_an_expired_copy_beside_another_one_is_an_unknown_outcome() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    future = proposals.submit(proposal("a"))
    for route in (ROUTE, Route("n2", 2, 0)):
        taken(proposals, route)
    proposals.resolve("a", Outcome("expired", 50))
    with pytest.raises(ClusterUnavailable, match="too late to tell") as refusal:
        future.result(0)
    assert "outcome is unknown" in str(refusal.value.hint)


def test_too_many_waiting_proposals_are_refused_at_once() -> None:
    proposals = Proposals(count_max=2, bytes_max=1000)
    futures = [proposals.submit(proposal(key)) for key in "abc"]
    assert [future.done() for future in futures] == [False, False, True]
    with pytest.raises(ClusterUnavailable, match="2 changes wait"):
        futures[2].result(0)
    assert taken(proposals, ROUTE) == ["a", "b"]


def test_waiting_proposals_are_bounded_in_bytes_too() -> None:
    proposals = Proposals(count_max=10, bytes_max=100)
    large = proposals.submit(proposal("large", payload=bytes(150)))
    refused = proposals.submit(proposal("small"))
    assert (large.done(), refused.done()) == (False, True)
    proposals.resolve("large", Outcome("applied", 5, b""))
    assert not proposals.submit(proposal("small")).done()


@pytest.mark.parametrize(("has_leader", "why"), [(True, "in time"), (False, "have no leader")])
def test_a_proposal_fails_at_its_deadline(has_leader: bool, why: str) -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    late = proposals.submit(proposal("late", seconds=-1))
    patient = proposals.submit(proposal("patient"))
    proposals.expire(has_leader=has_leader)
    with pytest.raises(ClusterUnavailable, match=why):
        late.result(0)
    assert not patient.done()


def test_a_key_that_was_reused_is_not_failed_by_its_first_deadline() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    proposals.submit(proposal("a", seconds=-1))
    proposals.resolve("a", Outcome("applied", 5, b""))
    again = proposals.submit(proposal("a"))
    proposals.expire(has_leader=True)
    assert not again.done()


def test_closing_fails_what_waits_and_what_comes() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    waiting = proposals.submit(proposal("a"))
    proposals.close(ClusterUnavailable("this manager stops"))
    for future in (waiting, proposals.submit(proposal("b"))):
        with pytest.raises(ClusterUnavailable, match="stops"):
            future.result(0)


def test_a_proposal_cannot_be_cancelled_because_it_may_be_in_the_log() -> None:
    future = Proposals(count_max=10, bytes_max=1000).submit(proposal("a"))
    assert not future.cancel()


def test_the_leaders_refusal_of_a_change_reaches_its_caller() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    change = Change("c", "add", "n2", "192.0.2.2:1", 5.0)
    waiting = Proposal("c", deadline=now() + LONG, change=change, read_result=lambda _: None)
    future = proposals.submit(waiting)
    assert proposals.waiting_changes() == [change]
    proposals.answer(ChangeAnswer("c", "conflict", "n2 is a member already", "remove it"))
    with pytest.raises(Conflict, match="already") as refusal:
        future.result(0)
    assert refusal.value.hint == "remove it"


def landed(proposals: Proposals, *, index: int) -> list[str]:
    """The barrier on its way is applied at `index`."""
    keys = taken(proposals, ROUTE)
    for key in keys:
        proposals.resolve(key, Outcome("applied", index))
    return keys


def test_readers_before_a_barrier_share_it_and_later_ones_wait_for_the_next() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    barriers = Barriers(proposals)
    early = [barriers.wait(LONG) for _ in range(3)]
    barriers.step()
    late = barriers.wait(LONG)
    barriers.step()
    assert len(landed(proposals, index=7)) == 1
    assert [reader.result(0) for reader in early] == [7, 7, 7]
    assert not late.done(), "the barrier on its way may be older than what this reader must see"
    assert len(landed(proposals, index=9)) == 1
    assert late.result(0) == 9


def test_without_readers_there_is_no_barrier() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    Barriers(proposals).step()
    assert taken(proposals, ROUTE) == []


def test_a_reader_fails_at_its_own_deadline() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    barriers = Barriers(proposals)
    hasty, patient = barriers.wait(-1), barriers.wait(LONG)
    barriers.step()
    with pytest.raises(ClusterUnavailable, match="up to date"):
        hasty.result(0)
    landed(proposals, index=3)
    assert patient.result(0) == 3


def test_a_barrier_whose_readers_have_gone_answers_nobody_else() -> None:
    proposals = Proposals(count_max=10, bytes_max=1000)
    barriers = Barriers(proposals)
    barriers.wait(0.0)
    barriers.step()
    first = taken(proposals, ROUTE)
    barriers.step()
    reader = barriers.wait(LONG)
    barriers.step()
    for key in first:
        proposals.resolve(key, Outcome("applied", 3))
    assert not reader.done()
    assert len(landed(proposals, index=8)) == 1
    assert reader.result(0) == 8


def test_closed_barriers_fail_their_readers() -> None:
    barriers = Barriers(Proposals(count_max=10, bytes_max=1000))
    waiting = barriers.wait(LONG)
    barriers.close(ClusterUnavailable("this manager stops"))
    for reader in (waiting, barriers.wait(LONG)):
        with pytest.raises(ClusterUnavailable, match="stops"):
            reader.result(0)
