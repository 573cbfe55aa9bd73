"""Members in separate processes: crashes, wiped disks, stalls, and changes of who takes part."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.contract.consensus_cluster import Cluster, MemberProcess
from tests.eventually import eventually

MakeCluster = Callable[..., Cluster]


@pytest.fixture
def make_cluster(tmp_path: Path) -> Iterator[MakeCluster]:
    clusters: list[Cluster] = []

    def make(**settings: Any) -> Cluster:
        cluster = Cluster(tmp_path, **settings)
        clusters.append(cluster)
        return cluster

    yield make
    for cluster in clusters:
        cluster.close()
        for errors in cluster.errors():
            print(errors)  # noqa: T201 - pytest shows it when the test failed
            assert "Traceback" not in errors


def propose(member: MemberProcess, entry: str, *, key: str | None = None) -> str:
    answer = member.ask("propose", entry=entry, key=key or entry)
    assert isinstance(answer, str), answer
    return answer


def burst(member: MemberProcess, name: str, count: int) -> dict[str, Future[Any]]:
    """Proposals in flight together; entry and key are the same."""
    entries = [f"{name}-{number}" for number in range(count)]
    return {entry: member.send("propose", entry=entry, key=entry) for entry in entries}


def confirmed(proposals: dict[str, Future[Any]]) -> list[str]:
    """The entries whose proposer was told that they are applied."""
    return [
        entry
        for entry, future in proposals.items()
        if future.exception(15) is None and isinstance(future.result(), str)
    ]


def test_three_members_elect_one_leader_and_replicate(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.leader()
    assert propose(cluster.running[leader], "one") == "1"
    assert cluster.wait_equal(count=1)["term"] == 1


def test_a_follower_proposes_and_reads_its_own_writes(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    cluster.leader()
    for number, node_id in enumerate(cluster.followers(), start=1):
        follower = cluster.running[node_id]
        assert propose(follower, f"from {node_id}") == str(number)
        index = follower.ask("barrier")
        status = follower.ask("status")
        assert (status["count"], status["applied"] >= index) == (number, True)


def test_a_read_barrier_on_a_follower_sees_what_another_member_confirmed(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.leader()
    reader = cluster.running[cluster.followers()[0]]
    for number in range(1, 21):
        propose(cluster.running[leader], f"entry {number}")
        reader.ask("barrier")
        assert reader.ask("status")["count"] == number


def test_everything_confirmed_survives_the_leader_being_killed(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    told: list[str] = []
    for round_number in range(2):
        leader = cluster.leader()
        proposer = cluster.running[cluster.followers()[0]]
        proposals = burst(proposer, f"round{round_number}", 200)
        next(iter(proposals.values())).result(10)
        cluster.kill(leader)
        told += confirmed(proposals)
        cluster.start(leader)
    cluster.wait_equal()
    texts = cluster.running["n1"].ask("texts")
    assert set(told) <= set(texts)
    assert len(texts) == len(set(texts)), "an entry was applied twice"
    assert len(told) == 400, "a proposal of a surviving member was not retried"


def test_everything_confirmed_survives_all_members_being_killed(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    proposals = burst(cluster.running[cluster.leader()], "entry", 300)
    list(proposals.values())[100].result(10)
    for node_id in ("n1", "n2", "n3"):
        cluster.kill(node_id)
    told = confirmed(proposals)
    assert len(told) >= 100
    for node_id in ("n1", "n2", "n3"):
        cluster.start(node_id)
    cluster.leader()
    cluster.wait_equal()
    texts = cluster.running["n2"].ask("texts")
    assert set(told) <= set(texts)
    assert len(texts) == len(set(texts))


def test_a_killed_follower_catches_up_from_the_log(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.running[cluster.leader()]
    propose(leader, "before")
    victim = cluster.followers()[0]
    cluster.kill(victim)
    assert len(confirmed(burst(leader, "meanwhile", 100))) == 100
    cluster.start(victim)
    cluster.wait_equal(count=101)


def test_without_a_majority_nothing_is_confirmed(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.leader()
    for node_id in cluster.followers():
        cluster.kill(node_id)
    answer = cluster.running[leader].ask("propose", entry="alone", key="alone", timeout_seconds=0.6)
    assert answer["error"] == "ClusterUnavailable"


def test_one_member_alone_keeps_what_it_confirmed_when_killed(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1")
    told: list[str] = []
    for round_number in range(2):
        cluster.leader()
        proposals = burst(cluster.running["n1"], f"round{round_number}", 300)
        list(proposals.values())[150].result(10)
        cluster.kill("n1")
        told += confirmed(proposals)
        cluster.start("n1")
    cluster.leader()
    texts = cluster.running["n1"].ask("texts")
    assert set(told) <= set(texts)
    assert len(texts) == len(set(texts))


def test_a_kill_while_a_snapshot_is_written_loses_nothing(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(compaction_entries=200, chunk_seconds=0.03)
    cluster.form("n1")
    cluster.leader()
    told: list[str] = []
    for round_number, kill_early in enumerate((True, False)):
        member = cluster.running["n1"]
        told += confirmed(burst(member, f"round{round_number}", 450))
        written = cluster.storage("n1") / "snapshot.written"
        if kill_early:
            eventually(written.exists, timeout_seconds=5, period_seconds=0.001)
        else:
            snapshot = cluster.storage("n1") / "snapshot"
            eventually(snapshot.exists, timeout_seconds=5, period_seconds=0.001)
        cluster.kill("n1")
        cluster.start("n1")
        cluster.leader()
        assert cluster.running["n1"].ask("texts") == told


def test_a_restart_from_snapshot_and_journal_is_complete(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(compaction_entries=100)
    cluster.form("n1")
    cluster.leader()
    journal = cluster.storage("n1") / "journal"
    told = confirmed(burst(cluster.running["n1"], "round0", 150))
    size_of_a_round = journal.stat().st_size
    for round_number in range(1, 5):
        told += confirmed(burst(cluster.running["n1"], f"round{round_number}", 150))
        if round_number < 3:
            continue
        eventually(lambda: journal.stat().st_size < 3.5 * size_of_a_round, timeout_seconds=5)
        cluster.stop("n1")
        cluster.start("n1")
        cluster.leader()
        assert cluster.running["n1"].ask("texts") == told
    assert (cluster.storage("n1") / "snapshot.previous").exists()


def test_a_damaged_snapshot_is_refused_and_the_previous_one_loses_nothing(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster(compaction_entries=100)
    cluster.form("n1")
    cluster.leader()
    told: list[str] = []
    # A snapshot is written beside the work: on a busy machine a second one takes more bursts.
    previous = cluster.storage("n1") / "snapshot.previous"
    for round_number in range(60):
        told += confirmed(burst(cluster.running["n1"], f"round{round_number}", 150))
        if round_number >= 3 and previous.exists():
            break
    cluster.stop("n1")
    snapshot = cluster.storage("n1") / "snapshot"
    content = bytearray(snapshot.read_bytes())
    content[len(content) // 2] ^= 1
    snapshot.write_bytes(content)
    with pytest.raises(AssertionError, match=r"snapshot cannot be used: a checksum is wrong"):
        cluster.start("n1")
    cluster.running.pop("n1").stop()
    previous.replace(snapshot)
    cluster.start("n1")
    cluster.leader()
    assert cluster.running["n1"].ask("texts") == told


def test_a_wiped_follower_gets_a_snapshot(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(compaction_entries=100)
    cluster.form("n1", "n2", "n3")
    leader = cluster.running[cluster.leader()]
    victim = cluster.followers()[0]
    for round_number in range(4):
        assert len(confirmed(burst(leader, f"round{round_number}", 150))) == 150
    cluster.kill(victim)
    cluster.wipe(victim)
    cluster.start(victim)
    term = cluster.wait_equal(count=600)["term"]
    assert (cluster.storage(victim) / "snapshot").exists()
    propose(cluster.running[victim], "from the wiped one")
    assert cluster.wait_equal(count=601)["term"] == term, "its return cost an election"


def test_a_wiped_member_does_not_vote_before_it_caught_up(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.leader()
    wiped, behind = cluster.followers()
    cluster.kill(behind)
    propose(cluster.running[leader], "only on the leader and the one to be wiped")
    cluster.kill(wiped)
    cluster.kill(leader)
    cluster.wipe(wiped)
    cluster.start(wiped)
    cluster.start(behind)
    answer = cluster.running[behind].ask("propose", entry="x", key="x", timeout_seconds=1.5)
    assert answer["error"] == "ClusterUnavailable", "a majority without the entry was formed"
    cluster.start(leader)
    cluster.leader()
    propose(cluster.running[wiped], "y")
    cluster.wait_equal()
    assert "only on the leader and the one to be wiped" in cluster.running[behind].ask("texts")


def test_a_frozen_leader_is_replaced_and_follows_when_it_thaws(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    frozen = cluster.leader()
    others = tuple(cluster.followers())
    cluster.running[frozen].freeze()
    assert propose(cluster.running[others[0]], "without the old leader") == "1"
    stale = cluster.running[frozen].send("propose", entry="stale", key="stale")
    cluster.running[frozen].thaw()
    assert stale.result(10) == "2", "what the old leader took was not handed to the new one"
    assert cluster.leader() in others
    cluster.wait_equal(count=2)


def test_a_frozen_follower_costs_no_election_when_it_thaws(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.leader()
    frozen = cluster.followers()[0]
    term = cluster.running[leader].ask("status")["term"]
    cluster.running[frozen].freeze()
    for number in range(20):
        propose(cluster.running[leader], f"entry {number}")

    def was_missed() -> bool:
        # Long enough for its own deadline and for the others to cut the connection off.
        cluster.running[leader].ask("barrier")
        return int(cluster.running[leader].ask("status")["applied"]) > 600

    eventually(was_missed, timeout_seconds=10, period_seconds=0)
    cluster.running[frozen].thaw()
    assert cluster.wait_equal(count=20)["term"] == term


def test_a_stopping_leader_hands_over(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.leader()
    term = cluster.running[leader].ask("status")["term"]
    cluster.stop(leader)
    status = cluster.running[cluster.leader()].ask("status")
    assert status["term"] == term + 1


def test_a_cluster_grows_from_one_member_and_survives_the_first_ones_loss(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster()
    cluster.form("n1")
    cluster.leader()
    first = cluster.running["n1"]
    assert len(confirmed(burst(first, "alone", 100))) == 100
    for node_id in ("n2", "n3"):
        address = cluster.prepare(node_id)
        cluster.start(node_id)
        answer = first.ask("add", node_id=node_id, address=address)
        assert answer is None, answer
    assert cluster.wait_equal(count=100)["members"] == ["n1", "n2", "n3"]
    cluster.kill("n1")
    assert propose(cluster.running["n2"], "without the first") == "101"
    # Restarted with the settings of its first start: one member, itself.
    cluster.start("n1", members=("n1",))
    assert cluster.wait_equal(count=101)["members"] == ["n1", "n2", "n3"]
    assert cluster.leader() != "n1"


def test_a_member_that_is_down_is_not_added_and_blocks_nothing(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1")
    cluster.leader()
    address = cluster.prepare("n2")
    adding = cluster.running["n1"].send("add", node_id="n2", address=address, timeout_seconds=1.5)
    assert propose(cluster.running["n1"], "meanwhile") == "1"
    answer = adding.result(10)
    assert answer["error"] == "ClusterUnavailable"
    assert "n2" in answer["message"]
    assert "cannot be reached" in answer["message"]
    assert cluster.running["n1"].ask("status")["members"] == ["n1"]


def test_a_member_with_another_nodes_certificate_is_not_added(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1")
    cluster.leader()
    address = cluster.prepare("n2", role="worker")
    cluster.start("n2")
    answer = cluster.running["n1"].ask("add", node_id="n2", address=address, timeout_seconds=1.5)
    assert answer["error"] == "ClusterUnavailable"


def test_a_removed_member_learns_it_and_the_rest_goes_on(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.leader()
    removed, other = cluster.followers()
    assert cluster.running[other].ask("remove", node_id=removed) is None
    eventually(
        lambda: removed not in cluster.running[removed].ask("status")["members"],
        timeout_seconds=5,
    )
    term = cluster.running[leader].ask("status")["term"]
    cluster.kill(removed)
    assert propose(cluster.running[leader], "two are left") == "1"
    status = cluster.wait_equal(count=1)
    assert (status["members"], status["term"]) == (sorted((leader, other)), term)


def test_the_leader_can_be_removed_through_any_member(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.leader()
    others = cluster.followers()
    assert cluster.running[leader].ask("remove", node_id=leader) is None
    assert cluster.leader(among=tuple(others)) in others
    cluster.kill(leader)
    assert propose(cluster.running[others[0]], "two are left") == "1"
    assert cluster.wait_equal(count=1)["members"] == others


def test_a_removal_that_would_leave_no_reachable_majority_is_refused(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster()
    cluster.form("n1", "n2", "n3")
    leader = cluster.leader()
    down, up = cluster.followers()
    cluster.kill(down)
    answer = cluster.running[leader].ask("remove", node_id=up)
    assert answer["error"] == "Conflict"
    assert f"unreachable: {down}" in answer["message"]
    assert cluster.running[leader].ask("remove", node_id=down) is None
    assert propose(cluster.running[up], "two are left") == "1"
