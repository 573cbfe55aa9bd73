"""The door: whole files, their order, several problems at once, and what cannot be read."""

import io

import pytest

from stackctl.compose import load, read
from stackctl.compose.problems import ComposeProblems
from stackctl.errors import InputError
from stackctl.wire import codec
from tests.unit.compose.stack_folder import StackFolder

STACK = """\
version: "3.8"
name: shop
x-logging: &logging
  logging: {driver: json-file, options: {max-size: 10m}}
services:
  proxy:
    <<: *logging
    image: nginx:${TAG:-1.25}
    ports: ["80:80", "443:443"]
    configs: [{source: site, target: /etc/nginx/conf.d/site.conf}]
    networks: [front]
    deploy: {mode: global, placement: {constraints: [node.role == manager]}}
  web:
    <<: *logging
    image: shop/web
    environment: [REDIS_HOST=redis]
    networks: {front: , back: {aliases: [app]}}
    deploy: {replicas: 3, update_config: {order: start-first}}
  redis:
    image: redis:7
    volumes: ["data:/data"]
    networks: [back]
    stop_grace_period: 30s
networks:
  front:
  back: {internal: true}
volumes:
  data:
configs:
  site: {content: "server { listen 80; }"}
"""


def test_a_whole_stack(stack: StackFolder) -> None:
    spec = stack.load(STACK)
    assert spec.name == "shop"
    assert [service.name for service in spec.services] == ["shop_proxy", "shop_web", "shop_redis"]
    assert [network.name for network in spec.networks] == ["shop_front", "shop_back"]
    assert [config.name for config in spec.configs] == ["shop_site"]
    proxy, web, redis = spec.services
    assert proxy.task.container.log_driver == web.task.container.log_driver
    assert proxy.task.container.image == "nginx:1.25"
    assert redis.task.container.mounts[0].source == "shop_data"
    assert redis.task.container.stop_grace_period_seconds == 30


def test_a_spec_survives_the_wire(stack: StackFolder) -> None:
    spec = stack.load(STACK)
    assert codec.from_json(codec.to_json(spec), type(spec)) == spec


def test_two_loads_give_equal_specs(stack: StackFolder) -> None:
    assert codec.pack(stack.load(STACK)) == codec.pack(stack.load(STACK))


def test_every_problem_of_a_file_is_told_at_once_in_its_order(stack: StackFolder) -> None:
    text = """\
    services:
      web:
        imgae: nginx
        ports: ["80:x"]
        deploy: {replicas: many}
        networks: [nope]
      db:
        image: Postgres
        tty: 5
    volums: {}
    """
    assert stack.problems(text) == [
        "2:3: services.web: no image is given; add image: with a name that can be pulled",
        "3:5: services.web.imgae: unknown key; did you mean image?",
        "4:13: services.web.ports[0]: 'x' is no port and no range of ports",
        "5:24: services.web.deploy.replicas: must be a whole number, not text (many)",
        (
            "6:16: services.web.networks[0]: undefined network 'nope'; "
            "declare it under the top-level networks:"
        ),
        (
            "8:12: services.db.image: invalid image reference 'Postgres': "
            "'Postgres' must be in lower case"
        ),
        "9:10: services.db.tty: must be true or false, not a number (5)",
        "10:1: volums: unknown key; did you mean volumes?",
    ]


def test_problems_are_values_too(stack: StackFolder) -> None:
    stack.write("stack.yml", "services: 5\n")
    with pytest.raises(ComposeProblems) as caught:
        load.load_stack(["stack.yml"], "shop", environment={})
    (problem,) = caught.value.problems
    assert problem.place.position == ("stack.yml", 1, 11)
    assert problem.place.path == ("services",)
    assert caught.value.exit_code == 2


def test_a_mistake_behind_an_anchor_is_told_once(stack: StackFolder) -> None:
    text = """\
    x-deploy: &deploy {replicas: many}
    services:
      a: {image: x, deploy: *deploy}
      b: {image: x, deploy: *deploy}
    """
    assert stack.problems(text) == [
        "1:30: services.a.deploy.replicas: must be a whole number, not text (many)"
    ]


@pytest.mark.parametrize("key", ["services", "networks", "volumes", "configs"])
def test_an_empty_section_is_refused(stack: StackFolder, key: str) -> None:
    assert stack.problems(f"{key}:\n") == [
        f"1:1: {key}: has no value; a mapping is expected; give one or remove the key"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "1:1: must be a mapping with services:, not a list"),
        ("text", "1:1: must be a mapping with services:, not text (text)"),
        ("", "1:1: the file is empty"),
        (
            "services: {web: }",
            (
                "1:12: services.web: has no value; a mapping with at least image: is "
                "expected; give one or remove the key"
            ),
        ),
    ],
)
def test_a_file_must_be_a_mapping_of_services(stack: StackFolder, text: str, problem: str) -> None:
    assert stack.problems(text) == [problem]


@pytest.mark.parametrize("text", ["services: {}", "x-only: 1", "version: '3'\nservices: {}"])
def test_a_file_without_services_is_an_empty_stack(stack: StackFolder, text: str) -> None:
    assert stack.load(text).services == ()


def test_another_name_in_the_file_is_not_used_and_noted(stack: StackFolder) -> None:
    assert stack.load("name: other\nservices: {}").name == "shop"
    assert stack.notes("name: other\nservices: {}") == [
        "1:1: name: name other is not used: the stack is deployed as shop"
    ]


def test_keys_of_the_users_own_are_allowed_in_every_object(stack: StackFolder) -> None:
    text = """
    x-a: 1
    services:
      web:
        image: x
        x-b: [1]
        deploy: {x-c: 1, placement: {x-d: 1}, resources: {x-e: 1, limits: {x-f: 1}}}
        healthcheck: {x-g: 1}
        networks: {n: {x-h: 1}}
    networks: {n: {x-i: 1, ipam: {x-j: 1}}}
    volumes: {v: {x-k: 1}}
    configs: {c: {x-l: 1, content: a}}
    """
    assert stack.problems(text) == []


def test_a_service_may_be_called_like_an_extension(stack: StackFolder) -> None:
    assert stack.load("services: {x-web: {image: x}}").services[0].name == "shop_x-web"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_understood(stack: StackFolder, encoding: str) -> None:
    spec = stack.load("services: {web: {image: x, labels: {a: ü}}}".encode(encoding))
    assert spec.services[0].task.container.labels["a"] == "ü"


def test_text_that_is_not_utf8_is_found_where_it_is(stack: StackFolder) -> None:
    assert stack.problems(b"services:\n  a: \xff\n") == ["2:6: the file is not UTF-8 text"]


def test_the_standard_input_starts_at_the_current_folder(
    stack: StackFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BytesIO(b"services: {web: {image: x, volumes: ['./a:/a'], tty: 5}}")

    monkeypatch.setattr("sys.stdin", Stdin)
    with pytest.raises(ComposeProblems, match=r"^<stdin>:1:54: services.web.tty: "):
        load.load_stack(["-"], "shop", environment={})
    Stdin.buffer = io.BytesIO(b"services: {web: {image: x, volumes: ['./a:/a']}}")
    spec = load.load_stack(["-"], "shop", environment={})
    assert spec.services[0].task.container.mounts[0].source == str(stack.folder / "a")


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "no Compose file is given"),
        (["stack.yml", "b.yml"], "cannot read b.yml: No such file or directory"),
        (["nope.yml"], "cannot read nope.yml: No such file or directory"),
        (["."], "cannot read .: Is a directory"),
        (["a\0b"], "cannot read a path with a NUL character"),
        (["big.yml"], "big.yml is larger than 4096 KiB"),
    ],
)
def test_files_that_cannot_be_read(stack: StackFolder, paths: list[str], message: str) -> None:
    stack.write("stack.yml", "services: {}")
    stack.write("big.yml", b"#" * (read.COMPOSE_FILE_BYTES_MAX + 1))
    with pytest.raises(InputError) as caught:
        load.load_stack(paths, "shop", environment={})
    assert caught.value.message.startswith(message)


def test_a_stack_needs_a_name_that_services_can_carry(stack: StackFolder) -> None:
    stack.write("stack.yml", "services: {}")
    with pytest.raises(InputError, match="invalid stack name 'a b'"):
        load.load_stack(["stack.yml"], "a b", environment={})
