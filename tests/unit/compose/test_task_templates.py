"""Templates that nodes fill in are told apart from text in double braces that nobody knows."""

import pytest

from stackctl.compose.grammar.task_templates import PLACES, has_template, unknown_template


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_known(place: str) -> None:
    assert unknown_template(f"a-{{{{{place}}}}}-b") is None
    assert unknown_template(f"{{{{ {place} }}}}") is None


@pytest.mark.parametrize("text", ["{{.Service.Labels.tier}}", '{{index .Service.Labels "a.b"}}'])
def test_labels_of_the_service_are_known(text: str) -> None:
    assert unknown_template(text) is None


@pytest.mark.parametrize("text", ["{{.Task.Nome}}", "{{ .Service }}", "{{.Task.Name}} {{.Node.X}}"])
def test_what_begins_like_a_place_and_is_none_is_named(text: str) -> None:
    assert unknown_template(text) is not None


@pytest.mark.parametrize(
    "text", ["", "{.Task.Name}", "{{ user }}", "{{.Name}} {{ json . }}", "}}{{", "{{.Task.Name"]
)
def test_text_without_a_template_is_text(text: str) -> None:
    assert not has_template(text)
    assert unknown_template(text) is None
