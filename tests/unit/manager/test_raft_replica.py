"""Envelope, memory of keys, and what a snapshot must carry of both."""

from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackctl.manager.raft import envelope, messages, replica
from stackctl.manager.raft.envelope import Barrier, Command, Membership, NoOp, UnreadableEntry
from stackctl.manager.raft.replica import Replica

keys = st.text(min_size=1, max_size=envelope.KEY_CHARACTERS_MAX)


class Texts:
    """A state machine of byte strings; its answer is as long as the entry."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []

    def apply(self, entry: bytes, *, index: int, term: int) -> bytes:
        if entry == b"raise":
            raise ValueError(f"at {id(self)}")
        self.texts.append(entry)
        return entry

    def capture(self) -> Callable[[], Iterator[bytes]]:
        texts = tuple(self.texts)
        return lambda: iter(texts)

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.texts = list(chunks)


def new_replica() -> tuple[Replica, Texts]:
    machine = Texts()
    return Replica(machine, members={"n1": "192.0.2.1:1"}), machine


def apply(target: Replica, key: str, *, index: int, base: int = 0, payload: bytes = b"x") -> str:
    command = Command(key, base, payload)
    return target.apply(command, index=index, term=1)[1].status


@given(
    content=st.one_of(
        st.builds(Command, keys, st.integers(0, 2**63), st.binary(max_size=200)),
        st.builds(
            Membership, keys, st.sampled_from(["add", "remove"]), st.text(), st.text(max_size=30)
        ),
        st.builds(Barrier, keys),
    )
)
def test_an_envelope_gives_back_its_content(content: Command | Membership | Barrier) -> None:
    entry = envelope.seal(content)
    assert envelope.open_entry(entry) == content
    assert envelope.is_membership(entry) == isinstance(content, Membership)


def test_the_cores_own_entry_is_a_no_op() -> None:
    assert envelope.open_entry(b"\x01") == NoOp()


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"\x00",
        b"\x03\x01\x90",
        b"\x00\x02" + envelope.seal(Command("k", 0, b""))[2:],
        b"\x00\x01\xc1",
        b"\x02\x01" + b"\x94\xa1k\xa4swap\xa2n1\xa0",
    ],
    ids=["empty", "only a kind", "version entry of the core", "newer format", "garbage", "unknown"],
)
def test_an_entry_of_another_version_is_unreadable_with_a_hint(entry: bytes) -> None:
    with pytest.raises(UnreadableEntry) as refusal:
        envelope.open_entry(entry)
    assert "upgrade stackctl-manager" in str(refusal.value.hint)


@settings(deadline=None)
@given(garbage=st.binary(max_size=60))
def test_no_bytes_make_a_message_decoder_raise_anything_else(garbage: bytes) -> None:
    """What a peer sends can only be a message or a DecodeError; nothing is executed."""
    try:
        messages.decode(garbage)
    except messages.Undecodable:
        return


def test_a_message_of_the_core_survives_the_way_to_another_member() -> None:
    sent = {
        "type": "append_entries",
        "term": 3,
        "commit_index": 7,
        "entries": [(b"\x01", 8, 3)],
        "prevLogIdx": 7,
        "prevLogTerm": 2,
    }
    received = messages.decode(messages.encode(sent))
    assert messages.to_core(received) == sent


@pytest.mark.parametrize("kind", ["apply_command", "readonly", "status", "add", "transfer"])
def test_a_kind_that_is_not_on_the_list_is_refused(kind: str) -> None:
    with pytest.raises(messages.Undecodable):
        messages.decode(messages.encode({"type": kind, "term": 1}))


def test_a_key_is_applied_once() -> None:
    target, machine = new_replica()
    assert apply(target, "k", index=2, payload=b"first") == "applied"
    outcome = target.apply(Command("k", 0, b"second"), index=3, term=1)[1]
    assert (outcome.result, outcome.index) == (b"first", 2)
    assert machine.texts == [b"first"]


def test_an_entry_that_raises_has_the_same_outcome_on_every_member() -> None:
    outcomes = set()
    for _ in range(2):
        target, machine = new_replica()
        outcomes.add(target.apply(Command("k", 0, b"raise"), index=2, term=1)[1])
        assert machine.texts == []
    assert [(each.status, each.result) for each in outcomes] == [("failed", b"ValueError")]


def test_a_late_copy_expires_instead_of_being_applied_again() -> None:
    target, machine = new_replica()
    apply(target, "first", index=2, base=1)
    for number in range(replica.KEYS_MAX):
        apply(target, f"other {number}", index=3 + number, base=2 + number)
    assert target.outcome_of("first") is None
    late = 3 + replica.KEYS_MAX
    assert apply(target, "first", index=late, base=1, payload=b"again") == "expired"
    assert b"again" not in machine.texts
    assert apply(target, "new", index=late + 1, base=late) == "applied"


def test_large_answers_are_forgotten_earlier() -> None:
    target, _ = new_replica()
    large = bytes(1 << 20)
    for number in range(20):
        apply(target, f"k{number}", index=2 + number, base=1 + number, payload=large)
    assert target.outcome_of("k0") is None
    assert target.outcome_of("k19") is not None
    assert apply(target, "k0", index=30, base=1, payload=large) == "expired"


@settings(deadline=None, max_examples=60)
@given(
    history=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 30)), min_size=1, max_size=60),
    cut=st.integers(0, 60),
)
def test_a_member_restored_from_a_snapshot_decides_like_the_others(
    history: list[tuple[int, int]], cut: int
) -> None:
    """One member applies everything, another installs a snapshot in the middle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replica, "KEYS_MAX", 5)
        steady, steady_machine = new_replica()
        restored, restored_machine = new_replica()
        for position, (key, base) in enumerate(history):
            if position == cut:
                captured = steady.capture()
                restored.restore(
                    members=dict(captured.members),
                    floor=captured.floor,
                    outcomes=captured.outcomes,
                    chunks=captured.encode(),
                )
            command = Command(f"k{key}", min(base, position), b"%d" % position)
            steady_outcome = steady.apply(command, index=position + 2, term=1)
            if position >= cut:
                assert restored.apply(command, index=position + 2, term=1) == steady_outcome
        if cut < len(history):
            assert restored_machine.texts == steady_machine.texts
            assert restored.capture()[:3] == steady.capture()[:3]


@settings(deadline=None, max_examples=60)
@given(
    copies=st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=80),
)
def test_no_key_is_ever_applied_twice_however_its_copies_arrive(
    copies: list[tuple[int, bool]],
) -> None:
    """Each key has one base index, fixed when it was first sent; copies may come at any time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replica, "KEYS_MAX", 3)
        target, machine = new_replica()
        base_of: dict[int, int] = {}
        for index, (key, _) in enumerate(copies, start=2):
            base = base_of.setdefault(key, index - 1)
            apply(target, f"k{key}", index=index, base=base, payload=b"%d" % key)
        assert len(machine.texts) == len(set(machine.texts))


def test_members_are_part_of_the_replicated_state() -> None:
    target, _ = new_replica()
    target.apply(Membership("a", "add", "n2", "192.0.2.2:1"), index=2, term=1)
    target.apply(Membership("b", "remove", "n1", ""), index=3, term=1)
    assert target.members() == {"n2": "192.0.2.2:1"}
    assert target.capture().members == (("n2", "192.0.2.2:1"),)


def test_a_barrier_takes_no_room_in_the_memory_of_keys() -> None:
    target, _ = new_replica()
    key, outcome = target.apply(Barrier("b"), index=2, term=1)
    assert (key, outcome.index) == ("b", 2)
    assert target.outcome_of("b") is None
