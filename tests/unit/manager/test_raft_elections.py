"""Elections: nobody stands who could not win, or whose victory could cost committed entries."""

import pytest

from stackctl.manager.raft import messages
from stackctl.manager.raft.elections import FAST_PATH_SECONDS, Elections
from stackctl.manager.raft.library import now
from stackctl.manager.raft.messages import PreVote, PreVoteGranted, StaleTerm


class FakeNode:
    def __init__(self, node_id: str) -> None:
        self.id = node_id


class FakeLog:
    """The end of a log."""

    def __init__(self, core: "FakeCore") -> None:
        self._core = core
        self.is_established = True
        self.journal = self

    @property
    def last_index(self) -> int:
        return self._core.end[0]

    def last(self) -> tuple[bytes, int, int]:
        return b"x", *self._core.end


class FakeCore:
    """What elections ask of the Raft core, as plain values."""

    def __init__(self, node_id: str) -> None:
        self.selfNode = FakeNode(node_id)
        self.end = (10, 3)
        self.current_term = 3
        self.leads = False
        self.leader: str | None = "n9"
        self.others = {"n1", "n2", "n3"} - {node_id}
        self.deadline = now() - 1
        self.asked_to_lead = False
        self._log = FakeLog(self)

    def log(self) -> FakeLog:
        return self._log

    def is_leader(self) -> bool:
        return self.leads

    def is_candidate(self) -> bool:
        return False

    def term(self) -> int:
        return self.current_term

    def forget_leader(self) -> None:
        self.leader = None

    def adopt_term(self, term: int) -> None:
        self.current_term = term

    def other_ids(self) -> set[str]:
        return self.others

    def connected_ids(self) -> set[str]:
        return self.others

    def has_majority(self, count: int) -> bool:
        return count > (len(self.others) + 1) / 2

    def election_deadline(self) -> float:
        return self.deadline

    def set_election_deadline(self, deadline: float) -> None:
        self.deadline = deadline

    def push_election_deadline(self) -> None:
        self.deadline = now() + 0.5

    def was_asked_to_lead(self) -> bool:
        return self.asked_to_lead

    def stands(self) -> bool:
        """Whether the library would stand for election in this tick."""
        return self.deadline < now()


class Candidate:
    """One member with its elections, and what it sent."""

    def __init__(self, node_id: str = "n1") -> None:
        self.core = FakeCore(node_id)
        self.sent: list[tuple[str, messages.Message]] = []
        self.elections = Elections(
            self.core,  # type: ignore[arg-type]  # the fake has what elections ask for
            heartbeat_seconds=0.1,
            send=self._send,
        )

    def _send(self, node_id: str, message: messages.Message) -> bool:
        self.sent.append((node_id, message))
        return True

    def answers(self, node_id: str, message: PreVote) -> list[messages.Message]:
        self.sent.clear()
        self.elections.receive_pre_vote(node_id, message)
        return [answer for _, answer in self.sent]


QUESTION = PreVote(term=4, last_log_index=10, last_log_term=3)


def test_a_passed_deadline_asks_before_it_stands() -> None:
    member = Candidate()
    member.elections.before_tick()
    assert sorted(member.sent) == [("n2", QUESTION), ("n3", QUESTION)]
    assert not member.core.stands()
    assert member.core.leader is None


def test_a_majority_that_agrees_lets_it_stand() -> None:
    member = Candidate()
    member.elections.before_tick()
    member.elections.receive_granted("n2", PreVoteGranted(term=4))
    member.elections.before_tick()
    assert member.core.stands()


def test_agreement_to_an_older_question_or_of_a_stranger_counts_for_nothing() -> None:
    member = Candidate()
    member.elections.before_tick()
    member.elections.receive_granted("n2", PreVoteGranted(term=3))
    member.elections.receive_granted("n7", PreVoteGranted(term=4))
    member.elections.before_tick()
    assert not member.core.stands()


def test_hearing_the_leader_again_ends_the_question() -> None:
    member = Candidate()
    member.elections.before_tick()
    member.elections.leader_was_heard()
    member.elections.receive_granted("n2", PreVoteGranted(term=4))
    assert not member.core.stands()


def test_a_member_that_hears_its_leader_does_not_agree() -> None:
    member = Candidate()
    member.elections.leader_was_heard()
    assert member.answers("n2", QUESTION) == []


def test_a_leader_does_not_agree() -> None:
    member = Candidate()
    member.core.leads = True
    assert member.answers("n2", QUESTION) == []


def test_a_member_that_lost_its_leader_agrees_and_asks_soon() -> None:
    member = Candidate()
    member.core.deadline = now() + 0.8
    member.elections.leader_was_heard()
    member.elections.leader_was_lost()
    assert member.answers("n2", QUESTION) == [PreVoteGranted(term=4)]
    assert member.core.deadline <= now() + FAST_PATH_SECONDS
    assert member.core.leader is None


@pytest.mark.parametrize(
    ("index", "term", "agrees"),
    [(10, 3, True), (11, 3, True), (1, 4, True), (9, 3, False), (99, 2, False)],
)
def test_only_a_log_that_is_not_older_finds_agreement(index: int, term: int, agrees: bool) -> None:
    question = PreVote(term=4, last_log_index=index, last_log_term=term)
    assert bool(Candidate().answers("n2", question)) is agrees


def test_who_asks_for_an_old_term_is_told_the_new_one() -> None:
    member = Candidate()
    member.core.current_term = 7
    assert member.answers("n2", QUESTION) == [StaleTerm(term=7)]
    other = Candidate("n2")
    other.elections.receive_stale_term(StaleTerm(term=7))
    assert other.core.current_term == 7


def test_of_two_that_ask_at_the_same_moment_one_wins() -> None:
    smaller, greater = Candidate("n1"), Candidate("n2")
    for member in (smaller, greater):
        member.elections.before_tick()
    assert smaller.answers("n2", QUESTION) == [PreVoteGranted(term=4)]
    assert greater.answers("n1", QUESTION) == []


def test_a_member_that_is_not_established_neither_stands_nor_votes() -> None:
    member = Candidate()
    member.core.log().is_established = False
    member.elections.before_tick()
    assert (member.sent, member.core.stands()) == ([], False)
    assert member.answers("n2", QUESTION) == []
    assert not member.elections.may_vote(
        messages.RequestVote(term=4, last_log_index=10, last_log_term=3)
    )


def test_the_first_election_of_a_cluster_is_open_to_everyone_empty() -> None:
    member = Candidate()
    member.core.log().is_established = False
    member.core.end = (1, 0)
    member.core.current_term = 0
    member.elections.before_tick()
    first = PreVote(term=1, last_log_index=1, last_log_term=0)
    assert ("n2", first) in member.sent
    other = Candidate("n3")
    other.core.log().is_established = False
    other.core.end = (1, 0)
    other.core.current_term = 0
    assert other.answers("n1", first) == [PreVoteGranted(term=1)]
    newer = PreVote(term=1, last_log_index=5, last_log_term=0)
    assert other.answers("n1", newer) == [], "an emptied member met a cluster with entries"


def test_the_one_whom_the_leader_asks_stands_at_once() -> None:
    member = Candidate()
    member.core.asked_to_lead = True
    member.elections.leader_was_heard()
    member.elections.before_tick()
    assert member.core.stands()


def test_a_member_alone_stands_at_once() -> None:
    member = Candidate()
    member.core.others = set()
    member.elections.before_tick()
    assert member.core.stands()
