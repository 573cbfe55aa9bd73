"""Hooks, develop, provider and models."""

import pytest

from stackctl.compose.parts.attachments import ModelUse
from stackctl.compose.parts.lifecycle import Hook, StartHook, WatchAction, WatchRule
from tests.unit.compose.document_reading import DocumentText, read_service, service_problems


def test_hooks_are_commands_in_order() -> None:
    body = """
    post_start:
      - command: chown -R 1000 /data
        user: root
        privileged: true
        working_dir: /data
        environment: [B=2, A=1]
      - command: [./ready]
    pre_stop: [{command: ./flush}]
    """
    service = read_service(body)
    first, second = service.post_start
    assert first == Hook(
        first.place,
        ("chown", "-R", "1000", "/data"),
        user="root",
        privileged=True,
        working_dir="/data",
        environment=("A=1", "B=2"),
    )
    assert second == Hook(second.place, ("./ready",))
    assert [hook.command for hook in service.pre_stop] == [("./flush",)]


def test_a_start_hook_may_leave_everything_to_its_image() -> None:
    body = "pre_start: [{}, {image: setup, command: ./migrate, per_replica: true}]"
    first, second = read_service(body).pre_start
    assert first == StartHook(first.place)
    assert second == StartHook(
        second.place, command=("./migrate",), image="setup", per_replica=True
    )


def test_watch_rules() -> None:
    body = """
    develop:
      watch:
        - {path: ./src, action: sync, target: /app/src, ignore: node_modules, initial_sync: true}
        - {path: package.json, action: rebuild}
        - {path: conf, action: sync+restart, target: /etc/app, include: ['*.conf', '*.ini']}
        - {path: conf, action: sync+exec, target: /etc/app, exec: {command: ./reload}}
    """
    service = read_service(body)
    assert service.develop is not None
    first, second, third, fourth = service.develop.watch
    assert first == WatchRule(
        first.place,
        "/stack/src",
        WatchAction.SYNC,
        target="/app/src",
        ignore=("node_modules",),
        initial_sync=True,
    )
    assert (second.path, second.action) == ("/stack/package.json", WatchAction.REBUILD)
    assert third.include == ("*.conf", "*.ini")
    assert fourth.execute is not None
    assert fourth.execute.command == ("./reload",)


def test_an_empty_develop_is_none() -> None:
    assert read_service("develop: ").develop is None


def test_a_provider_has_options_of_one_or_more_values() -> None:
    provider = read_service("provider: {type: cloud, options: {size: 5, zones: [a, b]}}").provider
    assert provider is not None
    assert provider.type == "cloud"
    assert provider.options == {"size": ("5",), "zones": ("a", "b")}


def test_models_are_used_by_key_or_with_variables() -> None:
    text = """
    services:
      short: {image: x, models: [chat]}
      long: {image: x, models: {chat: {endpoint_var: URL, model_var: NAME}, plain: }}
    models:
      chat: {model: ai/small, name: talk, context_size: 4096, runtime_flags: ["--fast"]}
      plain: {model: ai/plain}
    """
    document = DocumentText(text).document
    short, long = document.services
    assert [use.key for use in short.models] == ["chat"]
    chat, plain = long.models
    assert chat == ModelUse("chat", chat.place, "URL", "NAME")
    assert plain == ModelUse("plain", plain.place)
    model = document.models["chat"]
    assert (model.model, model.name, model.context_size) == ("ai/small", "talk", 4096)
    assert model.runtime_flags == ("--fast",)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("post_start: [ls]", "[0]: must be a mapping with command:, not text (ls)"),
        ("post_start: {command: ls}", ": must be a list of hooks, not a mapping"),
        ("post_start: [{user: root}]", "[0]: no command is given; add command:"),
        ("post_start: [{command: }]", "[0].command: a hook needs a command"),
        ("post_start: [{command: []}]", "[0].command: a hook needs a command"),
        ("pre_stop: [{command: ls, image: x}]", "[0].image: unknown key"),
        ("pre_start: [{image: 'A b'}]", "[0].image: invalid image reference 'A b'"),
        ("develop: {watch: [{path: a}]}", ".watch[0]: no action is given"),
        ("develop: {watch: [{action: rebuild}]}", ".watch[0]: no path is given; add path:"),
        (
            "develop: {watch: [{path: a, action: sync}]}",
            ".watch[0]: action sync needs a target; add target:",
        ),
        (
            "develop: {watch: [{path: a, action: sync+exec, target: /x}]}",
            ".watch[0]: action sync+exec needs a command; add exec: with command:",
        ),
        (
            "develop: {watch: [{path: a, action: rebuild, exec: {command: x}}]}",
            ".watch[0].exec: does not fit action rebuild; use action: sync+exec",
        ),
        (
            "develop: {watch: [{path: a, action: synk, target: /x}]}",
            (
                ".watch[0].action: must be rebuild, sync, restart, sync+restart or sync+exec, "
                "not text (synk); did you mean sync?"
            ),
        ),
        (
            "develop: {watch: [{path: a, action: sync, target: x}]}",
            ".watch[0].target: the path in the container must be absolute, not 'x'",
        ),
        ("develop: {wacth: []}", ".wacth: unknown key; did you mean watch?"),
        ("provider: {options: {a: b}}", ": no type is given; add type: and the name of"),
        ("provider: cloud", ": must be a mapping with type:, not text (cloud)"),
        ("models: [a, a]", "[1]: model a is named twice"),
        ("models: {a: {endpoint: X}}", ".a.endpoint: unknown key; did you mean endpoint_var?"),
    ],
)
def test_mistakes_around_a_container(body: str, problem: str) -> None:
    (found,) = service_problems(body, rest="models: {a: {model: x}}")
    path = f"services.web.{body.partition(':')[0]}"
    assert found.partition(": ")[2].startswith(path + problem)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{}", "1:10: models.m: no model is given; add model: and the model's reference"),
        ("{model: ''}", "1:14: models.m.model: is empty"),
        ("{model: x, context_size: -1}", "1:38: models.m.context_size: must be at least 0"),
        ("x", "1:13: models.m: must be a mapping with model:, not text (x)"),
    ],
)
def test_model_mistakes(settings: str, problem: str) -> None:
    (found,) = DocumentText(f"models: {{m: {settings}}}").problems
    assert found.startswith(problem)
