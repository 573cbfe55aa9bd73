"""Services whose images are built before a cluster gets the file."""

from pathlib import Path

import pytest

from stackctl.compose.load import load_request_stack
from stackctl.compose.problems import ComposeProblems
from stackctl.compose.request import LoadRequest
from stackctl.model.specs import PullPolicy

FILE = """
services:
  web:
    build: .
    pull_policy: build
  db:
    image: db:1
    pull_policy: always
"""


def request(folder: Path, text: str, **images: str) -> LoadRequest:
    path = folder / "compose.yaml"
    path.write_text(text)
    return LoadRequest(environment={}, paths=(str(path),), stack_name="shop", images=images)


def test_a_service_runs_the_image_that_was_built_for_it(tmp_path: Path) -> None:
    spec = load_request_stack(request(tmp_path, FILE, web="stackctl.internal/web:1")).spec
    found = {it.name: it.task.container for it in spec.services}
    assert found["shop_web"].image == "stackctl.internal/web:1"
    assert found["shop_web"].pull_policy is PullPolicy.MISSING
    assert (found["shop_db"].image, found["shop_db"].pull_policy) == ("db:1", PullPolicy.ALWAYS)


def test_without_it_the_file_is_refused_as_ever(tmp_path: Path) -> None:
    with pytest.raises(ComposeProblems) as caught:
        load_request_stack(request(tmp_path, FILE))
    words = "\n".join(map(str, caught.value.problems))
    assert "the deploy does not build" in words
    assert "nodes do not build" in words


def test_what_is_wrong_elsewhere_is_still_wrong(tmp_path: Path) -> None:
    wrong = FILE + "  other:\n    build: .\n"
    with pytest.raises(ComposeProblems) as caught:
        load_request_stack(request(tmp_path, wrong, web="stackctl.internal/web:1"))
    assert [problem.place.path for problem in caught.value.problems] == [
        ("services", "other", "build")
    ]
