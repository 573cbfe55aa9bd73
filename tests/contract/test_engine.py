"""One contract for the engine's driver and for the fake that stands in for it elsewhere."""

import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agent.core import observed
from agent.core.observed import Container, ContainerState, Health
from agent.drivers.docker_engine import DockerEngine
from agent.drivers.engine import Engine, ImageMissing, LogQuery, NoSuchContainer
from stackctl.errors import PermanentFailure
from stackctl.model import specs
from tests.eventually import eventually
from tests.fakes.engine import FakeEngine
from tests.images import BUSYBOX_IMAGE

CLUSTER_ID = "contract"
LABELS = {observed.LABEL_CLUSTER_ID: CLUSTER_ID}
WAIT_SECONDS = 20.0


class EngineContract:
    """What every engine does; the fixture `tested` of a subclass says which engine."""

    @staticmethod
    def body(*command: str, task_id: str, **fields: Any) -> dict[str, Any]:
        host = {"NetworkMode": "none", "RestartPolicy": {"Name": "no"}}
        labels = {
            **LABELS,
            observed.LABEL_TASK_ID: task_id,
            observed.LABEL_TASK_NAME: "svc.1",
        }
        return {
            "Image": BUSYBOX_IMAGE,
            "Cmd": list(command),
            "Labels": labels,
            "HostConfig": {**host, **fields.pop("HostConfig", {})},
            **fields,
        }

    def create(self, engine: Engine, *command: str, task_id: str = "t1", **fields: Any) -> str:
        body = self.body(*command, task_id=task_id, **fields)
        return engine.create(observed.container_name("svc.1", task_id), body)

    def look(self, engine: Engine, container_id: str) -> Container:
        container = engine.inspect(container_id)
        assert container is not None
        return container

    def await_end(self, engine: Engine, container_id: str) -> Container:
        def ended() -> Container | None:
            container = self.look(engine, container_id)
            return container if container.has_ended else None

        found = eventually(ended, timeout_seconds=WAIT_SECONDS)
        assert found is not None
        return found

    def test_created_container_is_seen_with_its_task(self, tested: Engine) -> None:
        container_id = self.create(tested, "sleep", "100", StopTimeout=3, StopSignal="SIGQUIT")
        container = self.look(tested, container_id)
        assert container.id == container_id
        assert container.task_id == "t1"
        assert container.name == "svc.1.t1"
        assert container.state is ContainerState.CREATED
        assert container.stop_grace_seconds == 3
        assert container.stop_signal == "SIGQUIT"
        assert container.pid == 0
        assert [item.id for item in tested.list_containers(LABELS)] == [container_id]

    def test_list_leaves_out_other_labels_and_inherited_ones(self, tested: Engine) -> None:
        self.create(tested, "sleep", "100")
        body = self.body("sleep", "100", task_id="t9")
        other = tested.create("by-hand", body)
        assert [item.task_id for item in tested.list_containers(LABELS)] == ["t1"]
        assert tested.list_containers({observed.LABEL_CLUSTER_ID: "another"}) == ()
        assert tested.inspect(other) is None
        tested.remove(other)

    def test_creating_again_finds_the_container_of_the_same_task(self, tested: Engine) -> None:
        first = self.create(tested, "sleep", "100")
        assert self.create(tested, "sleep", "100") == first

    def test_a_name_in_use_by_another_task_is_refused(self, tested: Engine) -> None:
        self.create(tested, "sleep", "100")
        with pytest.raises(PermanentFailure, match="in use"):
            tested.create("svc.1.t1", self.body("sleep", "1", task_id="t2"))

    def test_unknown_image_is_named_by_creation(self, tested: Engine) -> None:
        body = {**self.body("sleep", "1", task_id="t1"), "Image": "nosuch.invalid/image:1"}
        with pytest.raises(ImageMissing, match=r"No such image: nosuch\.invalid/image:1"):
            tested.create("svc.1.t1", body)

    def test_pull_of_an_image_that_cannot_be_had_fails(self, tested: Engine) -> None:
        with pytest.raises(PermanentFailure):
            tested.pull("127.0.0.1:1/nosuch:1")

    def test_an_absent_image_is_pulled_however_young_it_may_be(self, tested: Engine) -> None:
        with pytest.raises(PermanentFailure):
            tested.pull("127.0.0.1:1/nosuch:1", refresh_seconds=1e9)

    def test_a_container_is_made_for_a_platform(self, tested: Engine) -> None:
        body = self.body("sleep", "1", task_id="t1")
        name = observed.container_name("svc.1", "t1")
        assert tested.create(name, body, platform="linux/amd64")

    def test_absent_bind_source_is_refused_at_creation(self, tested: Engine) -> None:
        mount = {"Type": "bind", "Source": "/absent/folder", "Target": "/data"}
        with pytest.raises(PermanentFailure, match="bind source path does not exist"):
            self.create(tested, "sleep", "1", HostConfig={"Mounts": [mount]})

    def test_a_volume_is_there_once_a_container_has_mounted_it(self, tested: Engine) -> None:
        assert not tested.has_volume("contract-data")
        mount = {"Type": "volume", "Source": "contract-data", "Target": "/data"}
        self.create(tested, "sleep", "1", HostConfig={"Mounts": [mount]})
        assert tested.has_volume("contract-data")

    def test_the_volumes_of_stacks_are_told_apart(self, tested: Engine) -> None:
        labels = {"VolumeOptions": {"Labels": {specs.NAMESPACE_LABEL: "contract"}}}
        mounts = [
            {"Type": "volume", "Source": "contract-theirs", "Target": "/theirs"},
            {"Type": "volume", "Source": "contract-b", "Target": "/b", **labels},
            {"Type": "volume", "Source": "contract-a", "Target": "/a", **labels},
        ]
        self.create(tested, "sleep", "1", HostConfig={"Mounts": mounts})
        assert tested.stack_volumes() == ("contract-a", "contract-b")

    def test_started_container_has_a_process(self, tested: Engine) -> None:
        container_id = self.create(tested, "sleep", "100")
        tested.start(container_id)
        container = self.look(tested, container_id)
        assert container.state is ContainerState.RUNNING
        assert container.pid > 0
        assert container.health is Health.NONE
        tested.start(container_id)
        assert self.look(tested, container_id).pid == container.pid

    def test_program_that_is_not_there_is_refused_at_start(self, tested: Engine) -> None:
        container_id = self.create(tested, "/absent/program")
        with pytest.raises(PermanentFailure, match="no such file"):
            tested.start(container_id)
        assert self.look(tested, container_id).state is ContainerState.CREATED

    def test_unknown_network_is_refused_at_start(self, tested: Engine) -> None:
        container_id = self.create(
            tested,
            "sleep",
            "1",
            HostConfig={"NetworkMode": "nosuch-network"},
            NetworkingConfig={"EndpointsConfig": {"nosuch-network": {}}},
        )
        with pytest.raises(PermanentFailure, match="nosuch-network not found"):
            tested.start(container_id)

    @pytest.mark.parametrize("code", [0, 3])
    def test_exit_code_is_kept(self, tested: Engine, code: int) -> None:
        container_id = self.create(tested, "sh", "-c", f"exit {code}")
        tested.start(container_id)
        container = self.await_end(tested, container_id)
        assert container.exit_code == code
        assert container.pid == 0

    def test_stop_signal_reaches_the_program(self, tested: Engine) -> None:
        script = "trap 'exit 7' TERM; echo ready; while true; do sleep 0.05; done"
        container_id = self.create(tested, "sh", "-c", script)
        tested.start(container_id)
        self.await_line(tested, container_id, b"ready")
        tested.kill(container_id, "SIGTERM")
        assert self.await_end(tested, container_id).exit_code == 7

    def test_kill_ends_what_ignores_its_stop_signal(self, tested: Engine) -> None:
        container_id = self.create(tested, "sleep", "100")
        tested.start(container_id)
        tested.kill(container_id, "SIGTERM")
        assert self.look(tested, container_id).is_up
        tested.kill(container_id, "SIGKILL")
        assert self.await_end(tested, container_id).exit_code == 137

    def test_signal_to_a_container_that_does_not_run_is_refused(self, tested: Engine) -> None:
        container_id = self.create(tested, "sleep", "100")
        with pytest.raises(PermanentFailure, match="is not running"):
            tested.kill(container_id, "SIGTERM")

    def test_running_container_is_not_removed(self, tested: Engine) -> None:
        container_id = self.create(tested, "sleep", "100")
        tested.start(container_id)
        with pytest.raises(PermanentFailure, match="cannot remove a running container"):
            tested.remove(container_id)

    def test_removed_container_is_gone_and_may_be_removed_again(self, tested: Engine) -> None:
        container_id = self.create(tested, "sleep", "100")
        tested.remove(container_id)
        tested.remove(container_id)
        assert tested.inspect(container_id) is None
        with pytest.raises(NoSuchContainer):
            tested.start(container_id)

    def test_probe_tells_success_from_failure_and_delay(self, tested: Engine) -> None:
        container_id = self.create(tested, "sleep", "100")
        tested.start(container_id)
        assert tested.probe(container_id, ("true",), 5) is True
        assert tested.probe(container_id, ("false",), 5) is False
        assert tested.probe(container_id, ("sleep", "30"), 1) is False
        assert tested.probe("0" * 64, ("true",), 5) is False

    def test_health_check_is_seen_with_its_command(self, tested: Engine) -> None:
        check = {"Test": ["CMD-SHELL", "exit 0"], "Interval": 60 * 10**9, "Timeout": 2 * 10**9}
        container_id = self.create(tested, "sleep", "100", Healthcheck=check)
        tested.start(container_id)
        container = self.look(tested, container_id)
        assert container.health is Health.STARTING
        assert container.health_command == ("/bin/sh", "-c", "exit 0")
        assert container.health_timeout_seconds == 2

    def test_events_tell_of_start_end_and_removal(self, tested: Engine) -> None:
        stream = tested.events(LABELS)
        seen: list[tuple[str, str]] = []
        reader = threading.Thread(
            target=lambda: seen.extend((event.kind, event.task_id) for event in stream)
        )
        reader.start()
        try:
            container_id = self.create(tested, "sh", "-c", "exit 0")
            tested.start(container_id)
            self.await_end(tested, container_id)
            tested.remove(container_id)
            eventually_kinds = ["start", "die", "destroy"]
            time_limit = time.monotonic() + WAIT_SECONDS
            while [kind for kind, _ in seen] != eventually_kinds and time.monotonic() < time_limit:
                reader.join(0.05)
            assert seen == [(kind, "t1") for kind in eventually_kinds]
        finally:
            stream.close()
            reader.join(5)
        assert not reader.is_alive()

    def test_every_signal_is_told_before_the_end_that_it_brings(self, tested: Engine) -> None:
        stream = tested.events(LABELS)
        seen: list[tuple[str, int]] = []
        reader = threading.Thread(
            target=lambda: seen.extend((event.kind, event.signal) for event in stream)
        )
        reader.start()
        try:
            container_id = self.create(tested, "sleep", "100")
            tested.start(container_id)
            tested.kill(container_id, "SIGHUP")
            tested.kill(container_id, "SIGKILL")
            self.await_end(tested, container_id)
            time_limit = time.monotonic() + WAIT_SECONDS
            while ("die", 0) not in seen and time.monotonic() < time_limit:
                reader.join(0.05)
            assert seen == [("start", 0), ("kill", 1), ("kill", 9), ("die", 0)]
        finally:
            stream.close()
            reader.join(5)

    def test_logs_tell_both_sources_with_their_times(self, tested: Engine) -> None:
        container_id = self.create(tested, "sh", "-c", "echo out; echo err >&2; exit 0")
        tested.start(container_id)
        self.await_end(tested, container_id)
        entries = list(tested.logs(container_id, LogQuery()))
        assert sorted((entry.source, entry.text) for entry in entries) == [
            ("stderr", b"err"),
            ("stdout", b"out"),
        ]
        assert all(entry.at > 0 for entry in entries)

    def test_tail_keeps_the_last_lines(self, tested: Engine) -> None:
        container_id = self.create(tested, "sh", "-c", "echo a; echo b; echo c; exit 0")
        tested.start(container_id)
        self.await_end(tested, container_id)
        assert [entry.text for entry in tested.logs(container_id, LogQuery(tail=2))] == [b"b", b"c"]

    def test_followed_logs_end_with_the_container_or_when_closed(self, tested: Engine) -> None:
        container_id = self.create(tested, "sh", "-c", "echo a; sleep 100")
        tested.start(container_id)
        stream = tested.logs(container_id, LogQuery(follow=True))
        seen: list[bytes] = []
        reader = threading.Thread(target=lambda: seen.extend(entry.text for entry in stream))
        reader.start()
        eventually(lambda: seen == [b"a"], timeout_seconds=WAIT_SECONDS)
        assert reader.is_alive()
        stream.close()
        reader.join(5)
        assert not reader.is_alive()

    def test_facts_describe_the_node(self, tested: Engine) -> None:
        facts = tested.facts()
        assert facts.api_version >= (1, 41)
        assert facts.nano_cpus >= 10**9
        assert facts.memory_bytes > 0
        assert facts.os == "linux"
        tested.ping()

    def await_line(self, engine: Engine, container_id: str, text: bytes) -> None:
        def printed() -> bool:
            return text in [entry.text for entry in engine.logs(container_id, LogQuery())]

        eventually(printed, timeout_seconds=WAIT_SECONDS)


class TestFakeEngine(EngineContract):
    @pytest.fixture
    def tested(self) -> Engine:
        return FakeEngine(time.time, images=(BUSYBOX_IMAGE,))


@pytest.mark.integration
class TestDockerEngine(EngineContract):
    @pytest.fixture
    def tested(self, engine: Any) -> Iterator[Engine]:
        real = DockerEngine(engine.url)
        yield real
        for item in real.list_containers({}):
            stop_and_remove(real, item.id)
        real.close()

    def test_an_image_that_is_young_enough_is_not_pulled(self, tested: Engine, engine: Any) -> None:
        young = "127.0.0.1:1/young:1"  # no registry is there: a pull fails
        subprocess.run(["docker", "-H", engine.url, "tag", BUSYBOX_IMAGE, young], check=True)
        tested.pull(young, refresh_seconds=3600)
        with pytest.raises(PermanentFailure):
            tested.pull(young)
        subprocess.run(["docker", "-H", engine.url, "rmi", young], check=True)


def stop_and_remove(engine: Engine, container_id: str) -> None:
    container = engine.inspect(container_id)
    if container is not None and container.is_up:
        engine.kill(container_id, "SIGKILL")
    eventually(lambda: removed(engine, container_id), timeout_seconds=WAIT_SECONDS)


def removed(engine: Engine, container_id: str) -> bool:
    try:
        engine.remove(container_id)
    except PermanentFailure:
        return False
    return engine.inspect(container_id) is None
