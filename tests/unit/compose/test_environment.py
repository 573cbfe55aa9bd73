"""`environment`, `env_file`, `.env`, and where values come from."""

import pytest

from tests.unit.compose.stack_folder import StackFolder


def variables(stack: StackFolder, body: str) -> tuple[str, ...]:
    return stack.service(body).task.container.environment


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "environment: {B: x, A: 1, F: 1.10, T: true, E: ''}",
            ("A=1", "B=x", "E=", "F=1.1", "T=true"),
        ),
        ("environment: [B=x, A=a=b, E=, A=last]", ("A=last", "B=x", "E=")),
        ("environment: {OUT: , NOPE: , FILE: ~}", ("FILE=dotenv", "OUT=outside")),
        ("environment: [OUT, NOPE]", ("OUT=outside",)),
        ("environment: {OUT: ''}", ("OUT=",)),
        ("environment: {X: '$OUT-${FILE}-${NOPE:-d}-$$'}", ("X=outside-dotenv-d-$",)),
        ("environment: {COMPOSE_PROJECT_NAME: }", ("COMPOSE_PROJECT_NAME=shop",)),
        ("environment: {FORMAT: '{{.Name}} {{ json . }}'}", ("FORMAT={{.Name}} {{ json . }}",)),
    ],
)
def test_forms(stack: StackFolder, body: str, expected: tuple[str, ...]) -> None:
    stack.environment["OUT"] = "outside"
    stack.write(".env", "OUT=dotenv\nFILE=dotenv\n")
    assert variables(stack, body) == expected


def test_dotenv_may_use_the_outer_environment(stack: StackFolder) -> None:
    stack.environment["OUT"] = "outside"
    stack.write(".env", "A=${OUT}-1\nB=$A\n")
    assert variables(stack, "environment: [A, B]") == ("A=outside-1", "B=outside-1")


def test_a_folder_called_dotenv_is_no_mistake(stack: StackFolder) -> None:
    (stack.folder / ".env").mkdir()
    assert variables(stack, "environment: {A: b}") == ("A=b",)


def test_a_mistake_in_dotenv_has_its_own_line_after_those_of_the_file(stack: StackFolder) -> None:
    stack.write(".env", "A=1\nB C\n")
    assert stack.service_problems("tty: x") == [
        "4:10: services.web.tty: must be true or false, not text (x)",
        ".env:2:1: a name cannot contain a blank: B C",
    ]


def test_files_are_read_in_order_and_environment_wins(stack: StackFolder) -> None:
    stack.write("a.env", "A=a\nB=a\nC=a\n")
    stack.write("sub/b.env", "B=b\nC=b\n")
    body = "env_file: [a.env, ./sub/b.env]\nenvironment: {C: c}"
    assert variables(stack, body) == ("A=a", "B=b", "C=c")


@pytest.mark.parametrize(
    "form", ["a.env", "[a.env]", "[{path: a.env}]", "[{path: a.env, required: true}]"]
)
def test_the_forms_of_env_file(stack: StackFolder, form: str) -> None:
    stack.write("a.env", "A=1 # note\nexport B='x y'\nOUT\n")
    stack.environment["OUT"] = "outside"
    assert variables(stack, f"env_file: {form}") == ("A=1", "B=x y", "OUT=outside")


def test_a_file_that_is_not_required_may_be_missing(stack: StackFolder) -> None:
    body = "env_file: [{path: nope.env, required: false}, {path: a.env}]"
    stack.write("a.env", "A=1")
    assert variables(stack, body) == ("A=1",)


def test_a_path_that_cannot_be_a_file_is_no_missing_file(stack: StackFolder) -> None:
    body = f"env_file: [{{path: {'x' * 300}, required: false}}]"
    (problem,) = stack.service_problems(body)
    assert "File name too long" in problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "environment: {A: [b]}",
            "4:22: services.web.environment.A: must be text, a number or a boolean, not a list",
        ),
        (
            "environment: ['A B=c']",
            "4:19: services.web.environment[0]: 'A B' cannot be the name of a variable",
        ),
        (
            "environment: {A=B: c}",
            "4:19: services.web.environment.A=B: 'A=B' cannot be the name of a variable",
        ),
        (
            "environment: {'': c}",
            "4:19: services.web.environment.: there is no name; write NAME=value",
        ),
        (
            "environment: {'': }",
            "4:19: services.web.environment.: there is no name; write NAME=value",
        ),
        (
            "environment: {A: '{{.Task.Slut}}'}",
            (
                "4:19: services.web.environment.A: "
                "unknown template {{.Task.Slut}}; "
                "known are .Service.ID, .Service.Name, .Node.ID, .N"
                "ode.Hostname, .Task.ID, .Task.Name, .Task.Slot"
            ),
        ),
        (
            "environment: 5",
            (
                "4:18: services.web.environment: "
                "must be a mapping or a list of NAME=value, not a number (5)"
            ),
        ),
        (
            "environment:",
            (
                "4:5: services.web.environment: has no value; a mapping or a list of "
                "NAME=value is expected; give one or remove the key"
            ),
        ),
        (
            "env_file: [{required: true}]",
            "4:16: services.web.env_file[0]: no path is given; add path:",
        ),
        (
            "env_file: [{path: x, format: row}]",
            ("4:34: services.web.env_file[0].format: must be raw, not text (row)"),
        ),
    ],
)
def test_mistakes(stack: StackFolder, body: str, problem: str) -> None:
    stack.write("x", "")
    assert stack.service_problems(body) == [problem]


def test_a_missing_file_is_reported_where_it_is_named(stack: StackFolder) -> None:
    (problem,) = stack.service_problems("env_file: [nope.env]")
    assert problem.startswith("4:16: services.web.env_file[0]: cannot read ")
    assert problem.endswith("nope.env: No such file or directory")


def test_mistakes_in_an_env_file_name_its_line(stack: StackFolder) -> None:
    stack.write("a.env", "A=1\nB='x\n")
    stack.write("b.env", b"A=1\nB=\xff\n")
    assert stack.service_problems("env_file: [a.env, b.env]") == [
        "a.env:2:1: unterminated quoted value 'x",
        "b.env:2:1: is not UTF-8 text",
    ]


def test_variables_are_put_into_values_everywhere_but_not_into_keys(stack: StackFolder) -> None:
    stack.environment.update(TAG="1.25", PORT="8080", N="3", INIT="true")
    spec = stack.load(
        """
        x-note: $TAG
        services:
          web:
            image: nginx:${TAG}
            init: $INIT
            ports: ["${PORT}:80"]
            labels: {$TAG: $TAG}
            deploy: {replicas: "${N}"}
        """
    )
    (service,) = spec.services
    assert service.task.container.image == "nginx:1.25"
    assert service.task.container.init is True
    assert service.ports[0].published == 8080
    assert service.task.container.labels["$TAG"] == "1.25"
    assert service.replicas == 3


def test_a_broken_variable_is_reported_at_its_value(stack: StackFolder) -> None:
    assert stack.problems("services:\n  web:\n    image: nginx:${TAG:?give a tag}\n") == [
        (
            "3:12: services.web.image: required variable TAG is not set: give a tag; "
            "set TAG in the environment or in .env"
        )
    ]


def test_a_variable_that_is_not_set_is_noted_once(stack: StackFolder) -> None:
    text = "services:\n  a: {image: 'x$TAG'}\n  b: {image: 'y$TAG'}\n"
    assert stack.notes(text) == [
        "2:14: services.a.image: variable TAG is not set, so it is taken as empty"
    ]


def test_a_variable_that_is_no_text_is_refused(stack: StackFolder) -> None:
    stack.environment["TAG"] = "\udcff"
    stack.environment["NUL"] = "a\0b"
    problems = stack.service_problems("environment: {A: $TAG, B: $NUL}")
    assert problems == [
        ".env:1:1: variable TAG is not UTF-8 text",
        ".env:1:1: variable NUL has a NUL character",
    ]
