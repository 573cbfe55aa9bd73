"""Who makes nothing needs no env file, config or secret; who makes something, only its own."""

from pathlib import Path

import pytest

from stackctl.cli.main import main
from stackctl.compose.contents import Purpose
from stackctl.compose.load import LoadRequest
from stackctl.compose.problems import ComposeProblems
from stackctl.local.stack_files import Stack, load_stack

TEXT = """
services:
  web: {image: web, env_file: gone.env, secrets: [key], configs: [page], depends_on: [db]}
  db: {image: db, secrets: [word]}
  tool: {image: tool, build: {context: ., secrets: [token]}}
secrets:
  key: {file: gone.key}
  word: {environment: GONE}
  token: {file: gone.token}
  unused: {file: gone.unused}
configs:
  page: {file: gone.page}
"""


@pytest.fixture
def request_(tmp_path: Path) -> LoadRequest:
    file = tmp_path / "compose.yaml"
    file.write_text(TEXT)
    return LoadRequest(environment={}, paths=(str(file),), stack_name="shop")


def _missing(request: LoadRequest, *named: str, with_dependencies: bool = True) -> set[str]:
    with pytest.raises(ComposeProblems) as caught:
        load_stack(request, named=named, with_dependencies=with_dependencies)
    found = ("gone.env", "gone.key", "GONE", "gone.token", "gone.unused", "gone.page")
    return {it for it in found if it in caught.value.message}


def test_who_makes_nothing_reads_nothing_beside_the_file(request_: LoadRequest) -> None:
    stack: Stack = load_stack(request_, purpose=Purpose.NOTHING)
    assert set(stack.services) == {"web", "db", "tool"}


def test_containers_need_what_their_services_use(request_: LoadRequest) -> None:
    assert _missing(request_) == {"gone.env", "gone.key", "GONE", "gone.token", "gone.page"}
    assert _missing(request_, "web") == {"gone.env", "gone.key", "GONE", "gone.page"}
    assert _missing(request_, "web", with_dependencies=False) == {
        "gone.env",
        "gone.key",
        "gone.page",
    }
    assert _missing(request_, "db") == {"GONE"}


def test_images_need_the_secrets_of_their_builds(request_: LoadRequest) -> None:
    assert load_stack(request_, named=["web"], purpose=Purpose.IMAGES).services
    with pytest.raises(ComposeProblems, match=r"gone\.token") as caught:
        load_stack(request_, purpose=Purpose.IMAGES)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("verb", ["down", "stop", "start", "restart", "kill", "pause", "rm"])
def test_a_file_that_cannot_be_read_comes_with_the_way_around_it(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("name: shop\nservices: {web: {image: web, nonsense: 1}}")
    assert main(["-f", str(file), verb], {}) == 2
    assert f"hint: stackctl -p shop {verb} goes by what is there" in capsys.readouterr().err
