"""Names outlive the agent: real processes that are killed and asked, on loopback addresses."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from agent.drivers.disk import AgentFolder
from agent.drivers.stand_in import StandIn, dismiss_others, hold_lock
from stackctl.errors import TemporaryFailure
from tests import overlay_assignments as given_
from tests.eventually import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

GATEWAY = "127.77.1.1"
TASK_ADDRESS = "127.77.1.11"
VIP = "10.77.1.100"
ROOT = Path(__file__).parents[2]
# Whoever runs this answers names and then only waits, as far as the stand-in can see.
AGENT = """
import signal, sys
from pathlib import Path
from agent.drivers.stand_in import StandIn
stand_in = StandIn(Path(sys.argv[1]), port=int(sys.argv[2]))
signal.signal(signal.SIGTERM, lambda *_: (stand_in.dismiss(), sys.exit()))
stand_in.relieve()
print("answers", flush=True)
signal.pause()
"""


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((GATEWAY, 0))
        found: int = probe.getsockname()[1]
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    AgentFolder(tmp_path).write_assignment(
        given_.assignment(
            networks=(given_.network(gateway=GATEWAY),),
            endpoints=(given_.endpoint(VIP, [given_.backend(1, "10.77.1.11")]),),
            tasks=(given_.task("t1", {given_.FRONT: TASK_ADDRESS}),),
        )
    )
    return tmp_path


@pytest.fixture
def start_agent(folder: Path, port: int) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", AGENT, str(folder), str(port)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,  # its group holds the stand-in, too
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "answers\n"
        return process

    yield start
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        finally:
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()


def addresses(port: int) -> list[str]:
    query = dns.message.make_query("web", "A")
    try:
        answer = dns.query.udp(query, GATEWAY, port=port, source=TASK_ADDRESS, timeout=1)
    except (dns.exception.Timeout, OSError) as error:
        raise AssertionError(f"no answer: {error!r}") from error
    return [record.to_text() for rrset in answer.answer for record in rrset]


def test_names_are_answered_when_the_agent_has_been_killed(
    start_agent: Callable[[], subprocess.Popen[str]], port: int
) -> None:
    start_agent().kill()
    assert eventually(lambda: addresses(port), timeout_seconds=20) == [VIP]


def test_the_next_agent_sends_the_stand_in_away(
    start_agent: Callable[[], subprocess.Popen[str]], port: int
) -> None:
    start_agent().kill()
    eventually(lambda: addresses(port), timeout_seconds=20)
    start_agent()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((GATEWAY, port))  # nobody else answers there


def test_nobody_stands_in_for_an_agent_that_ends_of_its_own_will(
    start_agent: Callable[[], subprocess.Popen[str]], folder: Path
) -> None:
    agent = start_agent()
    agent.terminate()
    agent.wait(10)
    with pytest.raises(ProcessLookupError):
        os.killpg(agent.pid, 0)
    lock = hold_lock(folder)
    assert lock is not None
    os.close(lock)


def test_a_living_agent_is_never_asked_to_leave(
    start_agent: Callable[[], subprocess.Popen[str]], folder: Path, port: int
) -> None:
    agent = start_agent()
    with pytest.raises(TemporaryFailure, match="another agent"):
        StandIn(folder, port=port).relieve()
    assert agent.poll() is None


def test_a_stand_in_of_a_former_identity_leaves_when_the_node_was_set_up_anew(
    tmp_path: Path,
) -> None:
    former, present = tmp_path / "former", tmp_path / "present"
    former.mkdir()
    present.mkdir()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "import signal, sys; from pathlib import Path; from agent.drivers import stand_in\n"
                "stand_in.hold_lock(Path(sys.argv[1])); print('holds', flush=True); signal.pause()"
            ),
            str(former),
        ],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"holds\n"
        dismiss_others(present)
        assert holder.wait(timeout=5) == -signal.SIGTERM
    finally:
        holder.kill()
        holder.communicate()
