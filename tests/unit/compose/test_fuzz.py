"""Whatever bytes come in, out comes a spec or a refusal, soon, and never a traceback."""

import contextlib
import string
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stackctl.compose.load import LoadRequest, examine, load_stack
from stackctl.compose.problems import ComposeProblems
from stackctl.compose.syntax.dotenv import DotenvError, parse_dotenv
from stackctl.compose.syntax.template import TemplateError, substitute
from stackctl.compose.verdicts.rules import Target
from stackctl.errors import InputError
from stackctl.model.specs import StackSpec
from stackctl.wire import codec

# Every kind of section and value that the reader knows, so that mutations reach its readers.
FULL = b"""\
version: "3.8"
name: shop
x-base: &base {logging: {driver: json-file, options: {max-size: 10m, n: 3}}}
services:
  web:
    <<: *base
    image: registry.example.org:5000/shop/web:${TAG:-1.0}@sha256:0123456789abcdef0123456789abcdef
    build: {context: .}
    command: run "a b" 'c' \\d && e
    entrypoint: [/bin/run, -x]
    environment: {A: 1, B: 1.50, C: true, D: , HOME: }
    env_file: [{path: nope.env, required: false}]
    labels: [a=b, c]
    hostname: web.example.org
    working_dir: /srv
    user: "1000:1000"
    init: true
    tty: "no"
    stop_signal: SIGRTMIN+3
    stop_grace_period: 1m30.5s
    healthcheck: {test: [CMD, curl], interval: 5s, retries: 3, start_period: 1s, start_interval: 1s}
    ports: [80, "8080:80/udp", "9000-9002:9000-9002", {target: 443, published: "8443", mode: host}]
    volumes: [data:/data:ro, ./conf:/conf, /anon, {type: tmpfs, target: /t, tmpfs: {size: 1m}}]
    tmpfs: ["/run:size=64m,mode=1777"]
    configs: [site, {source: inline, target: /x, mode: 0440, uid: "5"}]
    networks: {front: {aliases: [app]}, back: }
    extra_hosts: ["a=1.2.3.4", "b:::1"]
    dns: [8.8.8.8]
    dns_search: example.org
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    sysctls: {net.core.somaxconn: 1024}
    ulimits: {nofile: {soft: 1, hard: 2}, nproc: 5}
    security_opt: [no-new-privileges:true]
    shm_size: 64M
    expose: ["80/udp", 90-95]
    restart: on-failure:3
    deploy:
      replicas: 3
      labels: {x: y}
      endpoint_mode: vip
      placement:
        constraints: [node.role == worker, node.labels.a!=b]
        preferences: [{spread: node.labels.zone}]
        max_replicas_per_node: 2
      resources: {limits: {cpus: "0.5", memory: 50M, pids: 9}, reservations: {memory: 20M}}
      restart_policy: {condition: any, delay: 5s, max_attempts: 3, window: 1m}
      update_config: {parallelism: 2, delay: 1s, max_failure_ratio: 0.1, failure_action: rollback}
      rollback_config: {order: stop-first}
networks:
  front: {driver: overlay, attachable: false, ipam: {config: [{subnet: 10.7.0.0/24}]}}
  back: {internal: true, driver_opts: {com.docker.network.driver.mtu: 1400}}
volumes: {data: {driver: local, driver_opts: {o: bind, device: ./d}}}
configs: {site: {content: "a $$ b"}, inline: {content: x, labels: [a]}}
"""
PIECES = [
    *(b": ", b"- ", b"\n", b"\n  ", b"\t", b"---\n", b"? ", b"{", b"}", b"[", b"]", b",", b"#"),
    *(b"&a ", b"*a", b"*base", b"<<: ", b"!reset ", b"!!int ", b"!x ", b"'", b'"', b"|\n"),
    *(b"null", b"~", b"[]", b"{}", b"-1", b"1e999", b"0x", b"1_0", b".nan", b"true", b"9" * 20),
    *(b"${", b"$", b"${A:-", b"/", b":", b"=", b"@", b"..", b"~you", b"{{.Task.Slot}}"),
    *(b"\xff", b"\x00", b"\xc3\xa9", b"a" * 300),
]
ENVIRONMENT = {"TAG": "2", "A": "$A", "HOME": "/home/me"}


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def checked(folder: Path, content: bytes) -> StackSpec | InputError:
    """What the load of `content` ends in, when that is in order."""
    path = folder / "stack.yml"
    path.write_bytes(content)
    refusal: ComposeProblems | None = None
    try:
        spec = load_stack([str(path)], "shop", environment=ENVIRONMENT)
    except ComposeProblems as problems:
        refusal = problems
    if refusal is not None:
        lines = str(refusal).split("\n")
        assert len(lines) == len(refusal.problems) > 0
        assert all(line.isprintable() for line in lines)
        return refusal
    assert codec.unpack(codec.pack(spec), StackSpec) == spec
    codec.to_json(spec)
    return spec


many = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def test_the_file_that_is_mutated_is_fine(folder: Path) -> None:
    assert isinstance(checked(folder, FULL), StackSpec)


@many
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(FULL)),
            st.integers(0, 12),
            st.one_of(st.sampled_from(PIECES), st.binary(max_size=4)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_edited_files(folder: Path, edits: list[tuple[int, int, bytes]]) -> None:
    content = FULL
    for at, removed, inserted in edits:
        content = content[:at] + inserted + content[at + removed :]
    checked(folder, content)


@many
@given(content=st.binary(max_size=200))
@example(b"")
@example(b"\xff\xfe\x00")
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
def test_random_bytes(folder: Path, content: bytes) -> None:
    checked(folder, content)


@many
@given(
    pieces=st.lists(st.sampled_from([*PIECES, b"services", b"a", b"image", b"\n "]), max_size=40)
)
def test_random_yaml(folder: Path, pieces: list[bytes]) -> None:
    checked(folder, b"".join(pieces))


KEYS = sorted(
    {
        word.strip("{[ ,").rstrip(":")
        for word in FULL.decode().replace("{", " ").split()
        if word.endswith(":") and word.strip("{[ ,").rstrip(":").replace("_", "a").isalpha()
    }
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["5s", "10M", "a=b", "80:80", "/x", "data:/x", "$TAG", "${", "node.id==x", "default"]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=5)), inner, max_size=4),
    ),
    max_leaves=8,
)


@many
@given(service=st.dictionaries(st.sampled_from(KEYS), values, max_size=6), rest=values)
def test_every_kind_of_value_under_every_key(folder: Path, service: object, rest: object) -> None:
    document = {"services": {"web": service}, "networks": rest, "configs": {"c": rest}}
    checked(folder, codec.to_json(document))


def texts(*pieces: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=40).map("".join)


@many
@given(text=texts(*"${}:-+?A_1 é\n", "${A", "${B:-", "$$"))
def test_variables_in_any_text(text: str) -> None:
    with contextlib.suppress(TemplateError):
        assert substitute(text, {"A": "x"}.get).text is not None


@many
@given(text=texts(*string.printable, "é", "${A", "\ufeff", "A=", "export ", "\\0"))
def test_any_dotenv(text: str) -> None:
    with contextlib.suppress(DotenvError):
        assert all(parse_dotenv(text, {"A": "x"}.get))


HUGE = {
    "nested lists": b"a: " + b"[" * 500_000,
    "nested mappings": b"{a: " * 100_000,
    "nested blocks": b"- " * 100_000,
    "many values": b"- a\n" * 110_000,
    "one long line": b"services: {" + b"a, " * 30_000 + b"}",
    "unknown keys": b"".join(b"key%d: 1\n" % n for n in range(20_000)),
    "undefined networks": b"services: {a: {image: x, networks: ["
    + b", ".join(b"net%d" % n for n in range(20_000))
    + b"]}}\nnetworks: {"
    + b", ".join(b"nets%d: " % n for n in range(10_000))
    + b"}",
    "a long key": b"services: {a: {image: x, " + b"k" * 1_000_000 + b": 1}}",
    "a long name": b"services: {" + b"a_" * 200_000 + b"!: {image: " + b"a." * 200_000 + b"!}}",
    "a long number": b"services: {a: {image: x, ports: [" + b"9" * 100_000 + b"]}}",
    "a long command": b"services: {a: {image: x, command: '" + b"a " * 500_000 + b"'}}",
    "a long duration": b"services: {a: {image: x, stop_grace_period: " + b"1s" * 100_000 + b"}}",
    "nested variables": b"a: '" + b"${A:-" * 100_000 + b"'",
    "many variables": b"a: '" + b"${A}" * 200_000 + b"'",
    "many ports": b"services: {a: {image: x, ports: ["
    + b", ".join([b"1-65535"] * 2000)
    + b"]}}",
    "many addresses": b"services: {a: {image: x, ports: ["
    + b", ".join(b"'127.1.%d.%d:80:80'" % (n // 250, n % 250) for n in range(20_000))
    + b"]}}",
    "many quotes": b'services: {a: {image: x, command: "' + b"'" * 300_001 + b'"}}',
    "many anchors": b"".join(b"k%d: &a%d [*a%d]\n" % (n, n, n) for n in range(10_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_huge_files_end_quickly(folder: Path, name: str) -> None:
    started = time.process_time()
    checked(folder, HUGE[name])
    request = LoadRequest(
        environment=ENVIRONMENT, paths=[str(folder / "stack.yml")], stack_name="shop"
    )
    examine(request, Target.LOCAL)
    # A bound on kind, not on speed: what is quadratic or exponential here takes minutes.
    assert time.process_time() - started < 20
