"""Paths of a tree from another folder, key by key."""

from pathlib import Path

import pytest

from stackctl.compose.merging.rebase import rebased
from stackctl.compose.problems import ProblemLog
from stackctl.compose.syntax.yaml_tree import parse
from tests.unit.compose.tree_folder import plain


def seen(text: str, *, written_in: str = "/srv/main/sub", read_from: str = "/srv/main") -> object:
    log = ProblemLog()
    root = parse(text, file="f", log=log)
    log.raise_if_any()
    return plain(rebased(root, (), written_in=Path(written_in), read_from=Path(read_from)))


def service(body: str) -> object:
    root = seen(f"services: {{web: {{{body}}}}}")
    assert isinstance(root, dict)
    return root["services"]["web"]


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("data", "./sub/data"),
        ("./data", "./sub/data"),
        (".", "./sub"),
        ("..", "."),
        ("../..", ".."),
        ("..x", "./sub/..x"),
        ("../../x", "../x"),
        ("/abs", "/abs"),
        ("~/home", "~/home"),
        ("", ""),
    ],
)
def test_a_path_goes_from_our_folder_to_the_other_one(path: str, result: str) -> None:
    assert service(f"env_file: '{path}'") == {"env_file": result}


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("build: ctx", {"build": "./sub/ctx"}),
        ("build: 'https://example.org/x.git'", {"build": "https://example.org/x.git"}),
        ("build: {dockerfile: d}", {"build": {"dockerfile": "d", "context": "./sub"}}),
        (
            "build: {context: 'git@x:y', ssh: [default, k=id], additional_contexts: {a: b}}",
            {
                "build": {
                    "context": "git@x:y",
                    "ssh": ["default", "k=./sub/id"],
                    "additional_contexts": {"a": "./sub/b"},
                }
            },
        ),
        (
            "build: {context: c, additional_contexts: [a=b, 'c=docker-image://d', e=service:f]}",
            {
                "build": {
                    "context": "./sub/c",
                    "additional_contexts": ["a=./sub/b", "c=docker-image://d", "e=service:f"],
                }
            },
        ),
        ("env_file: [a, {path: b}]", {"env_file": ["./sub/a", {"path": "./sub/b"}]}),
        ("label_file: [a]", {"label_file": ["./sub/a"]}),
        (
            "develop: {watch: [{path: src, target: /x}]}",
            {"develop": {"watch": [{"path": "./sub/src", "target": "/x"}]}},
        ),
        (
            "security_opt: [seccomp:p, 'seccomp=q', seccomp:unconfined, 'a:b', seccomp:/p]",
            {
                "security_opt": [
                    *("seccomp:./sub/p", "seccomp=./sub/q", "seccomp:unconfined", "a:b"),
                    "seccomp:/p",
                ]
            },
        ),
        (
            "volumes: [./a:/a:ro, ../b:/b, .:/c, d:/d, /e, /f:/f, ~/g:/g]",
            {
                "volumes": [
                    *("./sub/a:/a:ro", "./b:/b", "./sub:/c", "d:/d", "/e", "/f:/f", "~/g:/g"),
                ]
            },
        ),
        (
            "volumes: [{type: bind, source: a, target: /a}, {type: volume, source: a}]",
            {
                "volumes": [
                    {"type": "bind", "source": "./sub/a", "target": "/a"},
                    {"type": "volume", "source": "a"},
                ]
            },
        ),
        ("command: [./run], entrypoint: ./x", {"command": ["./run"], "entrypoint": "./x"}),
    ],
)
def test_keys_of_a_service_that_hold_paths(body: str, result: object) -> None:
    assert service(body) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("configs: {c: {file: a}}", {"configs": {"c": {"file": "./sub/a"}}}),
        ("secrets: {c: {file: a}}", {"secrets": {"c": {"file": "./sub/a"}}}),
        (
            "volumes: {v: {driver_opts: {o: 'bind,ro', device: d}}, w: {driver_opts: {device: d}}}",
            {
                "volumes": {
                    "v": {"driver_opts": {"o": "bind,ro", "device": "./sub/d"}},
                    "w": {"driver_opts": {"device": "d"}},
                }
            },
        ),
        (
            "networks: {n: {driver_opts: {file: a}}}",
            {"networks": {"n": {"driver_opts": {"file": "a"}}}},
        ),
    ],
)
def test_objects_that_hold_paths(text: str, result: object) -> None:
    assert seen(text) == result


def test_nothing_changes_in_the_same_folder() -> None:
    text = "services: {web: {build: ., volumes: ['a/../b:/x']}}"
    same = seen(text, read_from="/srv/main/sub")
    assert same == {"services": {"web": {"build": ".", "volumes": ["a/../b:/x"]}}}


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "services: 5",
        "services: [a]",
        "services: {a: 5, b: [c]}",
        "services: {a: {build: [x], volumes: {x: y}, env_file: {path: }, security_opt: 5}}",
        "configs: {a: }",
        "volumes: {a: {driver_opts: [o=bind]}}",
    ],
)
def test_wrong_shapes_are_left_to_their_readers(text: str) -> None:
    seen(text)
