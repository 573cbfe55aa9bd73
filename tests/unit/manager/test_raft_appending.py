"""Appending what the leader sends never removes what this member has acknowledged."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from stackctl.manager.raft.appending import is_contiguous, strip_known
from stackctl.manager.raft.journal import LogEntry
from stackctl.manager.raft.messages import AppendEntries


class Held:
    """The end of a log, after some of its beginning was forgotten."""

    def __init__(self, log: list[LogEntry], *, forgotten: int = 0) -> None:
        self.log = log
        self._forgotten = forgotten

    def entry_at(self, index: int) -> LogEntry | None:
        return self.log[index - 1] if self._forgotten < index <= len(self.log) else None


def make_log(terms: list[int]) -> list[LogEntry]:
    """A log from index 1; terms never fall."""
    return [
        (b"%d" % index, index, term)
        for index, term in enumerate(itertools.accumulate([0, *terms]), start=1)
    ]


def message(leader: list[LogEntry], *, previous: int, count: int, commit: int = 0) -> AppendEntries:
    return AppendEntries(
        term=9,
        commit_index=commit,
        previous_index=previous,
        previous_term=leader[previous - 1][2],
        entries=leader[previous : previous + count],
    )


logs = st.tuples(
    st.lists(st.sampled_from([0, 0, 0, 1]), max_size=12),
    st.lists(st.sampled_from([0, 0, 1]), max_size=6),
    # Never a term of the leader's end: one term has one leader, so the same index and term are the
    # same entry, and everything before them is the same too.
    st.lists(st.sampled_from([0, 0, 20]), max_size=6),
)


@given(logs=logs, data=st.data())
def test_entries_disappear_only_on_a_conflict(
    logs: tuple[list[int], list[int], list[int]], data: st.DataObject
) -> None:
    """The core deletes everything behind the previous entry; we decide which one it is told."""
    shared, of_leader, of_follower = logs
    leader = make_log([*shared, 5, *of_leader])
    follower = make_log([*shared, 3, *of_follower])
    if data.draw(st.booleans()):
        follower = leader[: data.draw(st.integers(1, len(leader)))]
    applied = data.draw(st.integers(1, min(len(shared) + 1, len(follower))))
    forgotten = data.draw(st.integers(0, applied - 1))
    previous = data.draw(st.integers(1, len(leader)))
    sent = message(leader, previous=previous, count=data.draw(st.integers(0, 8)))
    stripped = strip_known(sent, journal=Held(follower, forgotten=forgotten), applied_index=applied)
    if stripped is None:
        is_there = previous <= len(follower) and follower[previous - 1] == leader[previous - 1]
        assert not is_there, "the leader was told that we lack what we have"
        return
    verified = stripped.verified_index
    assert follower[:verified] == leader[:verified], "something was verified that differs"
    assert stripped.verified_term == leader[verified - 1][2]
    if stripped.remaining:
        first = stripped.remaining[0]
        assert first[1] == verified + 1 > applied
        is_new = verified == len(follower)
        assert is_new or follower[verified][2] != first[2], "the same entry would be deleted"
    else:
        assert verified >= previous + len(sent.entries)


def test_a_repeated_message_leaves_nothing_to_append() -> None:
    leader = make_log([1, 0, 0, 0])
    stripped = strip_known(
        message(leader, previous=1, count=2), journal=Held(leader), applied_index=1
    )
    assert stripped is not None
    assert (stripped.verified_index, list(stripped.remaining)) == (3, [])


def test_forgotten_entries_are_known_because_they_were_applied() -> None:
    leader = make_log([1, 0, 0, 0, 0])
    held = Held(leader[:4], forgotten=3)
    stripped = strip_known(message(leader, previous=1, count=5), journal=held, applied_index=4)
    assert stripped is not None
    assert (stripped.verified_index, [entry[1] for entry in stripped.remaining]) == (4, [5, 6])


def test_a_gap_or_an_empty_command_is_no_sane_message() -> None:
    good = AppendEntries(5, 0, 3, 1, [(b"x", 4, 1), (b"y", 5, 1)])
    gap = AppendEntries(5, 0, 3, 1, [(b"x", 4, 1), (b"y", 6, 1)])
    empty = AppendEntries(5, 0, 3, 1, [(b"", 4, 1)])
    assert [is_contiguous(each) for each in (good, gap, empty)] == [True, False, False]
