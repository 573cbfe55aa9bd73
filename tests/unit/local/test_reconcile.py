"""Plans of `up`, from what a file says and what is there."""

from pathlib import Path

import pytest

from stackctl.compose.document import Document
from stackctl.errors import InputError
from stackctl.local.container_files import contents_digest
from stackctl.local.labels import CONTENTS
from stackctl.local.observed import Observed, ObservedImage, ObservedNetwork
from stackctl.local.plan import CreateContainer, StartContainer
from stackctl.local.reconcile import PlanOptions, Recreate
from tests.local_stacks import STACK, container, document, plan, plan_text, up_and_running

TWO = """
services:
  web:
    image: busybox
    depends_on: [db]
  db:
    image: busybox
"""
NOTHING = Observed(images={"busybox": ObservedImage("sha256:1")})


@pytest.fixture
def two(tmp_path: Path) -> Document:
    return document(tmp_path, TWO)


def test_an_empty_engine_gets_everything_in_order(two: Document) -> None:
    assert plan_text(plan(two, NOTHING)) == (
        "create network shop_default\n"
        "create shop-db-1 < create network shop_default\n"
        "start shop-db-1 < create shop-db-1\n"
        "create shop-web-1 < create network shop_default\n"
        "start shop-web-1 < create shop-web-1, start shop-db-1"
    )


def test_a_stack_that_is_as_the_file_says_needs_nothing(two: Document) -> None:
    assert plan(two, up_and_running(two)).steps == ()


def test_a_stopped_container_is_started_and_not_replaced(two: Document) -> None:
    observed = up_and_running(two, states={"shop-web-1": "Exited (1) 3 seconds ago"})
    assert plan_text(plan(two, observed)) == "start shop-web-1"


def test_changed_contents_that_were_copied_in_replace_a_container(tmp_path: Path) -> None:
    text = "services: {web: {image: busybox, configs: [page]}}\nconfigs: {page: {content: %s}}"
    found = document(tmp_path, text % "old")
    observed = up_and_running(found)
    (web,) = observed.containers
    noted = web._replace(labels={**web.labels, CONTENTS: contents_digest(found, found.services[0])})
    for it in (web, noted):  # a container that Compose has made notes nothing
        assert plan(found, observed._replace(containers=(it,))).steps == ()
    changed = document(tmp_path, text % "new")
    (create, *_) = plan(changed, observed._replace(containers=(noted,))).steps
    assert create.cause == "what is in its configs or secrets has changed"
    assert plan(changed, observed).steps == ()


def test_a_changed_service_is_made_before_the_old_one_goes(tmp_path: Path, two: Document) -> None:
    observed = up_and_running(two)
    changed = document(tmp_path, TWO.replace("[db]", "[db]\n    environment: {A: b}"))
    old = observed.of_service("web")[0].id[:12]
    made = plan(changed, observed)
    assert plan_text(made) == (
        "create shop-web-1\n"
        "stop shop-web-1 < create shop-web-1\n"
        "remove shop-web-1 < create shop-web-1, stop shop-web-1\n"
        "rename shop-web-1 < remove shop-web-1\n"
        "start shop-web-1 < rename shop-web-1"
    )
    create = made.steps[0].action
    assert isinstance(create, CreateContainer)
    assert create.temporary_name == f"{old}_shop-web-1"
    assert made.steps[0].cause == "its configuration has changed"


def test_a_dependency_that_changes_leaves_its_dependents_alone(tmp_path: Path) -> None:
    before = document(tmp_path, TWO)
    after = document(tmp_path, TWO.replace("db:\n    image", "db:\n    user: '5'\n    image"))
    touched = {step.key.split()[-1] for step in plan(after, up_and_running(before)).steps}
    assert touched == {"shop-db-1"}


def test_dependents_with_restart_stop_before_and_start_after(tmp_path: Path) -> None:
    text = TWO.replace("[db]", "{db: {condition: service_started, restart: true}}")
    before = document(tmp_path, text)
    after = document(tmp_path, text.replace("db:\n    image", "db:\n    user: '5'\n    image"))
    made = plan(after, up_and_running(before))
    assert plan_text(made) == (
        "create shop-db-1\n"
        "stop shop-web-1\n"
        "stop shop-db-1 < create shop-db-1, stop shop-web-1\n"
        "remove shop-db-1 < create shop-db-1, stop shop-db-1\n"
        "rename shop-db-1 < remove shop-db-1\n"
        "start shop-db-1 < rename shop-db-1\n"
        "start shop-web-1 < start shop-db-1, stop shop-web-1"
    )


def test_a_new_image_replaces_the_containers_that_run_the_old_one(two: Document) -> None:
    observed = up_and_running(two)._replace(images={"busybox": ObservedImage("sha256:2")})
    causes = {step.cause for step in plan(two, observed).steps if "create" in step.key}
    assert causes == {"its image has changed"}


def test_scaling_down_removes_the_highest_numbers(two: Document) -> None:
    observed = up_and_running(two, counts={"web": 3})
    made = plan(two, observed, PlanOptions(scale={"web": 1}))
    assert {step.key for step in made.steps if "remove" in step.key} == {
        "remove shop-web-2",
        "remove shop-web-3",
    }


def test_scaling_down_removes_changed_containers_first(two: Document) -> None:
    observed = up_and_running(two, counts={"web": 2})
    changed = observed.containers[0]._replace(labels={})
    assert changed.name == "shop-web-1"
    made = plan(two, observed._replace(containers=(changed, *observed.containers[1:])))
    assert [step.key for step in made.steps] == ["stop shop-web-1", "remove shop-web-1"]


def test_a_service_with_a_name_of_its_own_is_not_scaled(tmp_path: Path) -> None:
    """The engine refused the second container when other services had been changed already."""
    named = document(tmp_path, "services: {web: {image: busybox, container_name: only}}\n")
    with pytest.raises(InputError, match="has the container_name only, which only one container"):
        plan(named, NOTHING, PlanOptions(scale={"web": 2}))


def test_scaling_up_takes_the_lowest_free_numbers(two: Document) -> None:
    observed = up_and_running(two, counts={"web": 2})
    without_first = tuple(it for it in observed.containers if it.name != "shop-web-1")
    made = plan(two, observed._replace(containers=without_first), PlanOptions(scale={"web": 3}))
    created = [step.key for step in made.steps if step.key.startswith("create")]
    assert created == ["create shop-web-1", "create shop-web-3"]


def test_conditions_are_awaited_once_and_only_when_somebody_starts(tmp_path: Path) -> None:
    text = """
services:
  a: {image: busybox, depends_on: {db: {condition: service_healthy}}}
  b: {image: busybox, depends_on: {db: {condition: service_healthy}}}
  db: {image: busybox, healthcheck: {test: "true"}}
"""
    found = document(tmp_path, text)
    made = plan(found, NOTHING)
    awaited = [step for step in made.steps if step.key.startswith("await")]
    assert [step.key for step in awaited] == ["await db service_healthy"]
    assert awaited[0].needs == ("start shop-db-1",)
    starts = [step for step in made.steps if step.key in ("start shop-a-1", "start shop-b-1")]
    assert all("await db service_healthy" in step.needs for step in starts)
    healthy = up_and_running(found, states={"shop-db-1": "Up 5 minutes (healthy)"})
    assert plan(found, healthy).steps == ()


def test_a_step_that_runs_again_is_awaited_for_dependents_that_run_already(tmp_path: Path) -> None:
    """A changed migration failed, and `up` of a running stack ended with 0."""
    text = (
        "services:\n"
        "  web: {image: busybox, depends_on: {db: {condition: service_completed_successfully}}}\n"
        "  db: {image: busybox}\n"
    )
    known = document(tmp_path, text)
    observed = up_and_running(known, states={"shop-db-1": "Exited (0) 3 seconds ago"})
    assert plan_text(plan(known, observed)) == (
        "start shop-db-1\nawait db service_completed_successfully < start shop-db-1"
    )


def test_no_recreate_keeps_and_force_recreate_replaces(tmp_path: Path, two: Document) -> None:
    observed = up_and_running(two)
    changed = document(tmp_path, TWO.replace("[db]", "[db]\n    environment: {A: b}"))
    assert plan(changed, observed, PlanOptions(recreate=Recreate.NEVER)).steps == ()
    forced = plan(two, observed, PlanOptions(services=("web",), recreate=Recreate.ALWAYS))
    assert {step.key.split()[-1] for step in forced.steps} == {"shop-web-1"}


def test_orphans_are_told_and_removed_only_when_asked(two: Document) -> None:
    observed = up_and_running(two)
    orphan = container("cache")
    observed = observed._replace(containers=(*observed.containers, orphan))
    made = plan(two, observed)
    assert made.steps == ()
    assert "shop-cache-1" in made.warnings[0]
    removing = plan(two, observed, PlanOptions(removes_orphans=True))
    assert [step.key for step in removing.steps] == ["stop shop-cache-1", "remove shop-cache-1"]
    assert removing.warnings == ()


def test_a_changed_network_is_made_anew_with_its_containers(tmp_path: Path) -> None:
    before = document(tmp_path, TWO)
    after = document(tmp_path, TWO + "networks: {default: {internal: true}}\n")
    keys = [step.key for step in plan(after, up_and_running(before)).steps]
    assert keys.index("remove network shop_default") < keys.index("create network shop_default")
    assert {"create shop-web-1", "create shop-db-1"} <= set(keys)
    assert keys.count("stop shop-web-1") == 1


def test_a_network_of_somebody_else_is_used_with_a_warning(two: Document) -> None:
    foreign = {"shop_default": ObservedNetwork("n1", "shop_default", "bridge")}
    made = plan(two, NOTHING._replace(networks=foreign))
    assert "external: true" in made.warnings[0]
    assert all(step.key != "create network shop_default" for step in made.steps)


@pytest.mark.parametrize("kind", ["network", "volume"])
def test_a_missing_external_object_is_an_error_with_the_command(tmp_path: Path, kind: str) -> None:
    text = "services: {web: {image: busybox, %s}}\n%ss: {front: {external: true}}\n"
    use = "networks: [front]" if kind == "network" else "volumes: ['front:/data']"
    with pytest.raises(InputError, match=f"{kind} front is external") as raised:
        plan(document(tmp_path, text % (use, kind)), NOTHING)
    assert raised.value.hint == f"docker {kind} create front"


def test_who_shares_a_network_namespace_is_replaced_with_its_owner(tmp_path: Path) -> None:
    text = "services:\n  a: {image: busybox}\n  b: {image: busybox, network_mode: 'service:a'}\n"
    before = document(tmp_path, text)
    after = document(tmp_path, text.replace("a: {image", "a: {user: '5', image"))
    made = plan(after, up_and_running(before))
    created = {step.key for step in made.steps if step.key.startswith("create")}
    assert created == {"create shop-a-1", "create shop-b-1"}
    sharing = next(step for step in made.steps if step.key == "create shop-b-1")
    assert "start shop-a-1" in sharing.needs


def test_services_with_ports_start_one_after_the_other(tmp_path: Path) -> None:
    text = "services: {web: {image: busybox, ports: ['8000-8002:80'], scale: 3}}"
    made = plan(document(tmp_path, text), NOTHING)
    starts = [step for step in made.steps if isinstance(step.action, StartContainer)]
    assert "start shop-web-1" in starts[1].needs
    assert "start shop-web-2" in starts[2].needs


def test_no_start_makes_and_starts_nothing(two: Document) -> None:
    made = plan(two, NOTHING, PlanOptions(starts=False))
    assert not any(isinstance(step.action, StartContainer) for step in made.steps)
    assert STACK in made.steps[0].key


def test_a_chosen_service_brings_its_dependencies_unless_told_otherwise(two: Document) -> None:
    both = plan(two, NOTHING, PlanOptions(services=("web",)))
    alone = plan(two, NOTHING, PlanOptions(services=("web",), with_dependencies=False))
    assert {"create shop-db-1", "create shop-web-1"} <= {step.key for step in both.steps}
    assert "create shop-db-1" not in {step.key for step in alone.steps}


def test_a_plan_that_was_interrupted_is_brought_to_its_end(two: Document) -> None:
    observed = up_and_running(two)
    old = next(it for it in observed.containers if it.name == "shop-web-1")
    new = old._replace(id="f" * 64, name="0123456789ab_shop-web-1", state="created")
    outdated = old._replace(labels={})
    others = tuple(it for it in observed.containers if it is not old)
    made = plan(two, observed._replace(containers=(outdated, new, *others)))
    assert plan_text(made) == (
        "stop shop-web-1\n"
        "remove shop-web-1 < stop shop-web-1\n"
        "rename shop-web-1 < remove shop-web-1\n"
        "start shop-web-1 < rename shop-web-1"
    )
