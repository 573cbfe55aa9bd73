"""What consensus costs: three members with mutual TLS on loopback, next to one bare fdatasync.

    python benchmarks/bench_consensus.py [--seconds 3] [--kills 9]

Absolute times say more about the machine than about us, so every latency is also given as a ratio
to the median fdatasync of a small append, measured in the same run. The members are processes of
their own; the measuring one proposes through a line of JSON to the leader, except where "inside"
is printed: there the proposer lives in the leader's process.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from stackctl.manager import certificates
from stackctl.manager.consensus import Consensus, ConsensusSettings, Member
from stackctl.manager.identity import IdentityDirectory
from tests.contract.consensus_cluster import Cluster, free_port
from tests.eventually import eventually


class Counter:
    """The cheapest state machine, so that consensus is what is measured."""

    def __init__(self) -> None:
        self.count = 0

    def apply(self, entry: bytes, *, index: int, term: int) -> bytes:  # noqa: ARG002 - a protocol
        self.count += 1
        return b""

    def capture(self) -> Callable[[], Iterator[bytes]]:
        count = str(self.count).encode()
        return lambda: iter([count])

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.count = int(b"".join(chunks))


def measure_fdatasync(directory: Path, *, count: int = 300) -> float:
    """The median seconds of appending 300 bytes and syncing them."""
    descriptor = os.open(directory / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        os.write(descriptor, bytes(300))
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - began)
    os.close(descriptor)
    return statistics.median(times)


def measure_sequential(consensus: Consensus, *, seconds: float) -> list[float]:
    """One caller that waits for each confirmation."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        key = f"sequential-{began}"
        consensus.propose(bytes(200), key=key, timeout_seconds=10).result()
        times.append(time.perf_counter() - began)
    return sorted(times)


def measure_pipelined(consensus: Consensus, *, size: int, seconds: float, window: int) -> float:
    """Confirmations per second with `window` proposals in flight."""
    room = threading.Semaphore(window)
    done = 0

    def finished(_: "Future[bytes]") -> None:
        nonlocal done
        done += 1
        room.release()

    payload = os.urandom(size)
    began = time.perf_counter()
    number = 0
    while time.perf_counter() - began < seconds:
        room.acquire()
        number += 1
        future = consensus.propose(payload, key=f"p{size}-{began}-{number}", timeout_seconds=30)
        future.add_done_callback(finished)
    for _ in range(window):
        room.acquire()
    return done / (time.perf_counter() - began)


def report(name: str, times: list[float], sync_seconds: float) -> None:
    """One line: p50 and p99 in milliseconds and as ratios to a bare fdatasync."""
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    print(
        f"{name:34} p50 {p50 * 1e3:6.2f} ms ({p50 / sync_seconds:5.1f}x)   "
        f"p99 {p99 * 1e3:6.2f} ms ({p99 / sync_seconds:5.1f}x)"
    )


class InsideCluster:
    """Two member processes, and the third member inside this one, made the leader."""

    def __init__(self, directory: Path) -> None:
        self.cluster = Cluster(directory)
        names = ("n1", "n2", "n3")
        for name in names:
            self.cluster.prepare(name)
        for name in names[:2]:
            self.cluster.start(name, members=names)
        identity = IdentityDirectory(directory / "n3" / "identity")
        self.consensus = Consensus(
            ConsensusSettings(
                node_id="n3",
                listen=self.cluster.addresses["n3"],
                members=tuple(Member(name, self.cluster.addresses[name]) for name in names),
                directory=directory / "n3" / "raft",
                tls=identity.tls_files(),
            ),
            Counter(),
            on_leadership=lambda _: None,
        )
        self.consensus.start()

    def wait_leader(self, *, inside: bool) -> None:
        """Restart members until the leader is where the measurement wants it."""

        def is_there() -> bool:
            leadership = self.consensus.leadership()
            if leadership.leader_id is None:
                return False
            if leadership.is_leader == inside:
                return True
            if inside:
                self.cluster.stop(leadership.leader_id)
                self.cluster.start(leadership.leader_id)
            return False

        eventually(is_there, timeout_seconds=60, period_seconds=0.2)

    def close(self) -> None:
        """Stop everything."""
        self.consensus.stop()
        self.cluster.close()


def measure_one_member(directory: Path, *, seconds: float, sync_seconds: float) -> None:
    """A cluster of one."""
    authority = certificates.create_cluster_authority()
    key_pem = certificates.create_key()
    subject = certificates.Subject(node_id="n1", role="manager", cluster_id="c")
    certificate_pem = certificates.issue_for_key(key_pem, authority=authority, subject=subject)
    identity = IdentityDirectory(directory / "identity")
    identity.write_authority(certificate_pem=authority.certificate_pem, key_pem=None)
    identity.write_node(certificate_pem=certificate_pem, key_pem=key_pem)
    address = f"127.0.0.1:{free_port()}"
    consensus = Consensus(
        ConsensusSettings(
            node_id="n1",
            listen=address,
            members=(Member("n1", address),),
            directory=directory / "raft",
            tls=identity.tls_files(),
        ),
        Counter(),
        on_leadership=lambda _: None,
    )
    consensus.start()
    eventually(lambda: consensus.leadership().is_leader, timeout_seconds=5)
    report("1 member, sequential", measure_sequential(consensus, seconds=seconds), sync_seconds)
    rate = measure_pipelined(consensus, size=200, seconds=seconds, window=1000)
    print(f"{'1 member, pipelined 200 B':34} {rate:8.0f} /s")
    consensus.stop()


def measure_three_members(directory: Path, *, seconds: float, sync_seconds: float) -> None:
    """Latency and throughput, the proposer inside the leader's process."""
    inside = InsideCluster(directory)
    try:
        inside.wait_leader(inside=True)
        times = measure_sequential(inside.consensus, seconds=seconds)
        report("3 members, sequential, inside", times, sync_seconds)
        barriers = []
        for _ in range(200):
            began = time.perf_counter()
            inside.consensus.read_barrier(timeout_seconds=10).result()
            barriers.append(time.perf_counter() - began)
        report("3 members, read barrier, inside", sorted(barriers), sync_seconds)
        for size in (200, 2000):
            rate = measure_pipelined(inside.consensus, size=size, seconds=seconds, window=1000)
            print(f"{f'3 members, pipelined {size} B, inside':34} {rate:8.0f} /s")
    finally:
        inside.close()


def measure_failover(directory: Path, *, kills: int) -> None:
    """From the kill of the leader to the next confirmed proposal, through a survivor."""
    cluster = Cluster(directory)
    times = []
    try:
        cluster.form("n1", "n2", "n3")
        for number in range(kills):
            leader = cluster.leader()
            survivor = cluster.running[cluster.followers()[0]]
            began = time.perf_counter()
            cluster.kill(leader)
            survivor.ask("propose", entry="x", key=f"after-{number}")
            times.append(time.perf_counter() - began)
            cluster.start(leader)
    finally:
        cluster.close()
    print(
        f"{f'failover, {kills} kills':34} median {statistics.median(times):.3f} s   "
        f"worst {max(times):.3f} s"
    )


def main() -> None:
    """Run everything once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement")
    parser.add_argument("--kills", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        sync_seconds = measure_fdatasync(directory)
        print(f"{'bare fdatasync of 300 B':34} p50 {sync_seconds * 1e3:6.2f} ms (  1.0x)")
        measure_one_member(directory / "one", seconds=arguments.seconds, sync_seconds=sync_seconds)
        measure_three_members(
            directory / "three", seconds=arguments.seconds, sync_seconds=sync_seconds
        )
        measure_failover(directory / "failover", kills=arguments.kills)


if __name__ == "__main__":
    main()
