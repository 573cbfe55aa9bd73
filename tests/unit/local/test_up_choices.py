"""What flags of `up` change in its plan, and in what it tells."""

from pathlib import Path

import msgspec
import pytest

from stackctl.cli.main import main
from stackctl.local.image_needs import ImageFlags, ImageNeeds, Pull, quieted
from stackctl.local.names import container_name, image_of
from stackctl.local.observed import Container, MountedVolume
from stackctl.local.progress import Phase, Progress
from stackctl.local.reconcile import PlanOptions
from tests.local_stacks import STACK, document, plan, plan_text, up_and_running

VOLUME = """
services:
  web: {image: busybox, volumes: ['data:/data']}
  other: {image: busybox}
networks: {idle: }
volumes: {data: {labels: {made: %s}}, idle: }
"""


def _with_volume(container: Container) -> Container:
    mounts = (MountedVolume("volume", f"{STACK}_data", "", "/data"),)
    return container._replace(mounts=mounts) if container.service == "web" else container


def test_a_changed_volume_is_made_anew_only_when_that_is_wanted(tmp_path: Path) -> None:
    before = up_and_running(document(tmp_path, VOLUME % "before"))
    before = before._replace(containers=tuple(map(_with_volume, before.containers)))
    after = document(tmp_path, VOLUME % "after")
    kept = plan(after, before)
    assert kept.steps == ()
    assert "stackctl up --yes makes it anew" in kept.warnings[0]
    made = plan(after, before, PlanOptions(replaces_volumes=True))
    assert made.warnings == ()
    assert (
        plan_text(made)
        == """\
stop shop-web-1
remove shop-web-1 < stop shop-web-1
remove volume shop_data < remove shop-web-1
create volume shop_data < remove volume shop_data
create shop-web-1 < create volume shop_data
start shop-web-1 < create shop-web-1"""
    )


def test_a_container_of_two_changed_objects_stops_once(tmp_path: Path) -> None:
    before = up_and_running(document(tmp_path, VOLUME % "before"))
    before = before._replace(containers=tuple(map(_with_volume, before.containers)))
    text = VOLUME.replace("{idle: }\nvolumes", "{idle: , default: {internal: true}}\nvolumes")
    made = plan(document(tmp_path, text % "after"), before, PlanOptions(replaces_volumes=True))
    keys = [step.key for step in made.steps]
    assert len(keys) == len(set(keys))
    assert keys.index("stop shop-web-1") < keys.index("remove network shop_default")


def test_what_no_service_uses_is_made_only_when_asked_for(tmp_path: Path) -> None:
    found = document(tmp_path, VOLUME % "x")
    there = up_and_running(found)._replace(networks={}, volumes={})
    used = {step.key for step in plan(found, there).steps}
    everything = {step.key for step in plan(found, there, PlanOptions(takes_everything=True)).steps}
    assert everything - used == {"create network shop_idle", "create volume shop_idle"}


def test_names_are_joined_with_the_services_separator(tmp_path: Path) -> None:
    found = document(tmp_path, "services: {web: {build: .}}").services[0]
    old = msgspec.structs.replace(found, name_separator="_")
    assert (container_name(STACK, found, 2), image_of(STACK, found)) == ("shop-web-2", "shop-web")
    assert (container_name(STACK, old, 2), image_of(STACK, old)) == ("shop_web_2", "shop_web")


def test_quiet_images_are_told_of_only_when_they_fail(tmp_path: Path) -> None:
    web = document(tmp_path, "services: {web: {build: .}}").services[0]
    needs = ImageNeeds((Pull("redis"),), (web,))
    told: list[str] = []
    flags = ImageFlags(is_pull_quiet=True, is_build_quiet=True)
    report = quieted(lambda it: told.append(it.text), needs, flags, stack_name=STACK)
    report(Progress("Image redis", Phase.WORKING, "Pulling"))
    report(Progress("abc", Phase.WORKING, "Extracting", parent="Image redis"))
    report(Progress("Image shop-web", Phase.DONE, "Built"))
    report(Progress("Image redis", Phase.ERROR, "Error"))
    report(Progress("Container shop-web-1", Phase.DONE, "Started"))
    assert told == ["Error", "Started"]


def test_orphans_cannot_be_removed_and_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["up", "--remove-orphans"], ["create", "--remove-orphans"]):
        assert main(words, {"COMPOSE_IGNORE_ORPHANS": "1"}) == 2
        assert "COMPOSE_IGNORE_ORPHANS exclude each other" in capsys.readouterr().err
