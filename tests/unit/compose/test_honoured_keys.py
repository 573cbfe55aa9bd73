"""What the table calls honoured is carried out: without the key, the cluster is told another thing.

Each key of two files is taken away in turn. Where neither the spec nor what is wrong with the file
changes, nothing would be lost if the key were dropped; only keys that say so may be like that.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.compose.convert import convert
from stackctl.compose.merging.assemble import Assembled, assemble
from stackctl.compose.problems import Path as TreePath
from stackctl.compose.problems import ProblemLog
from stackctl.compose.request import LoadRequest
from stackctl.compose.sections.reading import Reading, Value
from stackctl.compose.sections.top_level import read_document
from stackctl.compose.syntax import tree
from stackctl.compose.verdicts.judge import enforce, judge, pruned, steps_of
from stackctl.compose.verdicts.rules import Target
from stackctl.compose.verdicts.table import RULES, keys_of
from stackctl.model.specs import StackSpec

EXAMPLE = Path(__file__).parents[3] / "examples" / "every-key" / "compose.yml"
# Where the example says what holds anyway, and what only counts when somebody uses it.
OTHER_VALUES = """\
services:
  other:
    image: busybox
    privileged: true
    restart: on-failure
    pull_policy: always
    scale: 2
    depends_on: {everywhere: {condition: service_started, required: false}}
    pre_start: [{command: prepare, privileged: true, working_dir: /elsewhere}]
    env_file: [{path: RAW_FILE, format: raw}]
    ports: [{target: 53, published: 53, protocol: udp, mode: host}]
    volumes:
      - {type: bind, source: /srv, target: /srv, bind: {create_host_path: true}}
      - {type: volume, source: plugged, target: /plugged}
      - {type: volume, source: theirs, target: /theirs}
      - {type: volume, source: theirs-too, target: /theirs-too}
    configs: [theirs, theirs-too]
    secrets: [theirs, theirs-too]
    networks: [inner, theirs, theirs-too]
    deploy:
      placement: {x-rebalance: auto, x-stay-with-volumes: false}
      update_config: {failure_action: continue}
      rollback_config: {failure_action: continue}
  everywhere: {image: busybox, deploy: {mode: global}}
networks:
  inner: {internal: true, ipam: {config: [{subnet: 10.71.0.0/16}]}}
volumes:
  plugged: {driver: storage.example.org}
"""
WITHOUT_EFFECT = {
    # The caller names the stack; all versions are one.
    *("version", "name"),
    # For commands that show output, watch or build.
    *("services.*.attach", "services.*.build", "services.*.develop"),
    # Words for people, and what containers on one network do anyway.
    *("services.*.expose", "services.*.ports[].name", "services.*.ports[].app_protocol"),
    "services.*.volumes[].consistency",
    # Services that no profile chooses have left before.
    "services.*.profiles",
    # The values that a cluster takes are what it does anyway.
    *("services.*.ports[].host_ip", "services.*.pre_start[].per_replica"),
    *("networks.*.driver", "networks.*.enable_ipv4", "networks.*.ipam.driver"),
}
KEYS = frozenset(steps_of(key) for rule in RULES for key in keys_of(rule))
STEPS = frozenset(key[:length] for key in KEYS for length in range(len(key) + 1))


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
        stack_name="shop",
        profiles=("*",),
    )
    found = assemble(request, log)
    assert log.problems() == ()
    return found


def keys_in(
    node: tree.Node, steps: tuple[str, ...] = (), path: TreePath = ()
) -> Iterator[tuple[tuple[str, ...], TreePath]]:
    """Each key of the table that a tree has: its steps in the table, and its path."""
    if isinstance(node, tree.Mapping):
        for entry in node:
            step = entry.key if (*steps, entry.key) in STEPS else "*"
            inner = (*steps, step)
            if inner in KEYS:
                yield inner, (*path, entry.key)
            if inner in STEPS:
                yield from keys_in(entry.value, inner, (*path, entry.key))
    elif isinstance(node, tree.Sequence):
        for index, item in enumerate(node.items):
            yield from keys_in(item, (*steps, "[]"), (*path, index))


def outcome(root: tree.Node, assembled: Assembled) -> tuple[StackSpec | None, list[str]]:
    """The spec, and what is wrong. What is left of a service is not always enough for a spec."""
    log = ProblemLog()
    reading = Reading(log=log, base=assembled.base, variables=assembled.variables)
    document = read_document(Value(root, path=(), reading=reading), "shop")
    problems = [problem.message for problem in log.problems()]
    try:
        return convert(document, "shop"), problems
    except KeyError:  # a reference to an object that has been taken away
        return None, problems


def test_a_key_without_effect_says_so(assembled: Assembled) -> None:
    root = enforce(
        assembled.root,
        judge(assembled.root, Target.CLUSTER),
        ProblemLog(),
        target=Target.CLUSTER,
        lenient=True,
    )
    whole = outcome(root, assembled)
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
