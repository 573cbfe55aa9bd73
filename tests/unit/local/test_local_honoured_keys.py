"""What the table calls honoured on one engine is carried out: without the key, the engine is asked
for something else.

Each key of two files is taken away in turn. Where neither what would be done to the engine nor what
is wrong with the file changes, nothing would be lost if the key were dropped; only keys that say so
may be like that.
"""

from collections.abc import Iterator

import pytest

from stackctl.compose.document import Document
from stackctl.compose.merging.assemble import Assembled, assemble
from stackctl.compose.problems import ProblemLog
from stackctl.compose.request import LoadRequest
from stackctl.compose.sections.reading import Reading, Value
from stackctl.compose.sections.top_level import read_document
from stackctl.compose.syntax import tree
from stackctl.compose.verdicts.judge import enforce, judge, pruned, steps_of
from stackctl.compose.verdicts.rules import Target
from stackctl.errors import InputError, PermanentFailure
from stackctl.local import labels
from stackctl.local.image_needs import ImageFlags, image_needs
from stackctl.local.labels import Origin
from stackctl.local.observed import Observed, ObservedNetwork, ObservedVolume
from stackctl.local.plan import CreateContainer, RunHook
from stackctl.local.reconcile import PlanOptions, Situation, plan_up
from stackctl.local.resources import networks_of, volumes_of
from tests.unit.compose.test_honoured_keys import EXAMPLE, keys_in

STACK = "shop"
NEWEST = (1, 48)
# Where the example says what holds anyway, and what only counts when somebody uses it.
OTHER_VALUES = """\
services:
  other:
    image: busybox
    privileged: true
    restart: on-failure
    pull_policy: always
    scale: 2
    use_api_socket: true
    depends_on:
      everywhere: {condition: service_started, required: false, restart: true}
      healthy: {condition: service_healthy, required: false}
    env_file: [{path: RAW_FILE, format: raw}]
    ports: [{target: 53, published: 53, protocol: udp, mode: host}]
    volumes:
      - {type: bind, source: /srv, target: /srv, bind: {create_host_path: true}}
      - {type: volume, source: plugged, target: /plugged}
      - {type: volume, source: theirs, target: /theirs}
      - {type: volume, source: theirs-too, target: /theirs-too}
    configs: [theirs, theirs-too]
    secrets: [theirs, theirs-too]
    networks: [inner, special, theirs, theirs-too]
  prepared:
    image: busybox
    logging: {driver: local}
    pre_start: [{command: prepare, privileged: true, working_dir: /elsewhere, per_replica: true}]
  worked-on:
    build:
      context: .
      dockerfile_inline: FROM busybox
      no_cache: true
      privileged: true
      secrets: [{source: password, uid: "5", gid: "6"}]
    develop:
      watch: [{path: ., target: /x, action: sync+exec, exec: {command: x, privileged: true}}]
  healthy: {image: busybox, healthcheck: {test: "true"}}
  everywhere: {image: busybox, deploy: {mode: global, replicas: 1}}
  refreshed: {image: busybox, pull_policy: every_24h}
networks:
  inner: {internal: true, ipam: {config: [{subnet: 10.71.0.0/16}]}}
  special: {driver: macvlan, ipam: {driver: of-a-plugin}}
volumes:
  plugged: {driver: storage.example.org}
"""
WITHOUT_EFFECT = {
    # The caller names the stack; all versions are one.
    *("version", "name"),
    # Where tasks are placed, and how a cluster replaces them: one host has nothing to choose.
    *("services.*.deploy.endpoint_mode", "services.*.deploy.labels"),
    *("services.*.deploy.placement", "services.*.deploy.update_config"),
    *("services.*.deploy.rollback_config", "services.*.deploy.restart_policy.x-replace-lost"),
    "services.*.deploy.resources.reservations.cpus",
    "services.*.deploy.resources.reservations.generic_resources",
    # Emulated: the engine restarts by itself, and backs off in its own way.
    *("services.*.deploy.restart_policy.delay", "services.*.deploy.restart_policy.window"),
    # One host has no store of configs and secrets, in which they would have names and labels.
    *("configs.*.name", "configs.*.labels", "secrets.*.name", "secrets.*.labels"),
    # Files are mounted, or the next `up` makes the container anew.
    *("services.*.configs[].x-on-change", "services.*.secrets[].x-on-change"),
    # Words for people, and what containers do anyway.
    *("services.*.ports[].name", "services.*.ports[].app_protocol", "services.*.ports[].mode"),
    "services.*.volumes[].consistency",
}


@pytest.fixture(scope="module", name="assembled")
def _assembled(tmp_path_factory: pytest.TempPathFactory) -> Assembled:
    folder = tmp_path_factory.mktemp("other")
    raw = folder / "raw.env"
    raw.write_text("QUOTED='kept'\n")
    other = folder / "other.yml"
    other.write_text(OTHER_VALUES.replace("RAW_FILE", str(raw)))
    log = ProblemLog()
    request = LoadRequest(
        environment={"HOME": "/home/user", "TOKEN": "a token", "INHERITED": "yes"},
        paths=[str(EXAMPLE), str(other)],
        stack_name=STACK,
        profiles=("*",),
    )
    found = assemble(request, log)
    assert log.problems() == ()
    return found


def outcome(root: tree.Node, assembled: Assembled) -> list[str]:
    """What would be done to an engine, and what is wrong."""
    log = ProblemLog()
    reading = Reading(log=log, base=assembled.base, variables=assembled.variables)
    document = read_document(Value(root, path=(), reading=reading), STACK)
    problems = [problem.message for problem in log.problems()]
    try:
        return [*problems, *_doings(document)]
    except (InputError, PermanentFailure) as error:
        return [*problems, str(error)]
    except (KeyError, StopIteration):  # a reference to an object that has been taken away
        return [*problems, "unfinished"]


def _doings(document: Document) -> Iterator[str]:
    situation = Situation(
        document, Origin(STACK, "/src"), _with_externals(document), NEWEST, "/run/docker.sock"
    )
    for step in plan_up(situation, PlanOptions(takes_everything=True)).steps:
        if isinstance(step.action, CreateContainer | RunHook):
            container = step.action.container
            # It says of each key that there is one, and so would every test be passed.
            container.body["Labels"].pop(labels.CONFIG_HASH)
            # Their own words keep contents back.
            yield repr([tuple(file) for file in container.files])
        yield repr(step)
    services = document.services
    yield repr(image_needs(STACK, services, {}, ImageFlags(), now=0))
    for service in services:
        yield repr((service.key, service.attach, service.pre_stop, service.develop, service.build))
        yield repr((service.profiles, service.provider, service.container.pull_refresh_seconds))


def _with_externals(document: Document) -> Observed:
    """What the file says is there already."""
    return Observed(
        networks={
            it.name: ObservedNetwork(it.name, it.name, it.driver)
            for it in networks_of(document, STACK)
            if it.is_external
        },
        volumes={
            it.name: ObservedVolume(it.name, it.driver)
            for it in volumes_of(document, STACK)
            if it.is_external
        },
    )


def test_a_key_without_effect_says_so(assembled: Assembled) -> None:
    root = enforce(
        assembled.root,
        judge(assembled.root, Target.LOCAL),
        ProblemLog(),
        target=Target.LOCAL,
        lenient=True,
    )
    whole = outcome(root, assembled)
    assert "unfinished" not in whole
    found: dict[tuple[str, ...], bool] = {}
    for steps, path in keys_in(root):
        if not found.get(steps):
            found[steps] = outcome(pruned(root, [path]), assembled) != whole
    idle = {steps for steps, has_effect in found.items() if not has_effect}
    excused = {steps_of(key): False for key in WITHOUT_EFFECT}
    left: list[str] = []
    for steps in idle:
        above = next((key for key in excused if steps[: len(key)] == key), None)
        if above is None:
            left.append(".".join(steps))
        else:
            excused[above] = True
    assert sorted(left) == []
    assert [".".join(key) for key, is_needed in excused.items() if not is_needed] == []
