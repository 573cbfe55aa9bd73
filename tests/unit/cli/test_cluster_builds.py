"""Images built here on their way to a cluster: names, specs, and what nodes say."""

import io
from pathlib import Path

import pytest

from stackctl.cli.cluster_builds import bring_to_nodes, builds_of, with_images
from stackctl.cli.render.terminal import Terminal
from stackctl.cli.session import Session
from stackctl.compose.load import load_document, load_request_stack
from stackctl.compose.request import LoadRequest
from stackctl.errors import StackctlError
from stackctl.local.image_saving import SavedImage
from stackctl.model import specs
from tests.command_line import Run
from tests.fakes.api_cluster import FakeCluster

FILE = """
services:
  web:
    build: web
    pre_start:
      - command: [migrate]
  api:
    image: registry.example.org/api:2
    platform: linux/arm64
    build: api
  db:
    image: db:1
"""
WEB = SavedImage("stackctl.internal/shop-web:1a2b3c4d5e6f", 5, "linux/amd64")
API = SavedImage("stackctl.internal/api:2-2a2b3c4d5e6f", 5, "linux/arm64")


@pytest.fixture
def session(environment: dict[str, str]) -> Session:
    terminal = Terminal(io.StringIO(), io.StringIO(), environment)
    return Session(environment=environment, terminal=terminal)


def built_spec(folder: Path) -> specs.StackSpec:
    path = folder / "compose.yaml"
    path.write_text(FILE)
    request = LoadRequest(environment={}, paths=(str(path),), stack_name="shop")
    builds = builds_of(load_document(request, None).document, "shop")
    assert list(builds.wanted) == ["web", "api"]
    spec = load_request_stack(request._replace(images=builds.stand_ins)).spec
    return with_images(spec, {builds.stand_ins["web"]: WEB, builds.stand_ins["api"]: API})


def test_services_and_their_steps_run_what_was_built(tmp_path: Path) -> None:
    images = {it.name: it.task.container.image for it in built_spec(tmp_path).services}
    assert images == {
        "shop_web": WEB.reference,
        "shop_web-pre-start-1": WEB.reference,
        "shop_api": API.reference,
        "shop_db": "db:1",
    }


def test_the_platform_of_an_image_places_its_tasks(tmp_path: Path) -> None:
    platforms = {it.name: it.task.container.platform for it in built_spec(tmp_path).services}
    assert platforms["shop_web"] == "linux/amd64"
    assert platforms["shop_api"] == "linux/arm64"
    assert platforms["shop_db"] == ""


def one_service(image: str) -> specs.StackSpec:
    task = specs.TaskSpec(container=specs.ContainerSpec(image=image))
    return specs.StackSpec(name="shop", services=(specs.ServiceSpec(name="shop_web", task=task),))


def test_a_node_that_cannot_fetch_does_not_hold_up_the_others(
    session: Session, cluster: FakeCluster
) -> None:
    cluster.image_faults["n2"] = "no space left on device"
    bring_to_nodes(session, "shop", one_service(WEB.reference), is_quiet=False)


def test_when_no_node_can_fetch_nothing_is_deployed(session: Session, cluster: FakeCluster) -> None:
    cluster.image_faults = dict.fromkeys(cluster.nodes, "no space left on device")
    with pytest.raises(StackctlError, match="n1: no space left on device; n2: "):
        bring_to_nodes(session, "shop", one_service(WEB.reference), is_quiet=False)


def test_a_plan_builds_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {web: {build: .}}")
    done = run("deploy", "--build", "--dry-run", "-c", str(file), "shop")
    assert done.code == 2
    assert "exclude each other" in done.err


def test_what_is_wrong_in_the_file_costs_no_build(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {web: {build: ., container_name: web, deploy: {replicas: -1}}}")
    done = run("deploy", "--build", "-c", str(file), "shop")
    assert done.code == 2
    assert "in the Compose file; nothing was changed" in done.err
