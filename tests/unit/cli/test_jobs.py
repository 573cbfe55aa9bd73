"""Jobs and start order as people see them."""

from pathlib import Path
from typing import Any

import pytest

from stackctl.cli.render.details import render_service
from stackctl.cli.render.progress import render_progress
from stackctl.cli.render.services import service_rows
from stackctl.client.progress import ServiceProgress
from tests.command_line import Run
from tests.fakes.api import FakeApi
from tests.view_cases import service


@pytest.mark.parametrize(
    ("mode", "fields", "shown"),
    [
        (
            "replicated-job",
            {"running": 0, "desired": 3, "completed": 2, "completions": 3},
            ("replicated job", "0/3 (2/3 completed)"),
        ),
        (
            "global-job",
            {"running": 1, "desired": 2, "completed": 1, "completions": 2},
            ("global job", "1/2 (1/2 completed)"),
        ),
        ("global", {"running": 1, "desired": 2}, ("global", "1/2")),
    ],
)
def test_replicas_of_jobs_are_shown_as_swarm_does(
    mode: str, fields: dict[str, Any], shown: tuple[str, str]
) -> None:
    (row,) = service_rows([service(mode=mode, **fields)])
    assert (row["Mode"], row["Replicas"]) == shown


def test_the_progress_of_a_job_counts_what_has_completed() -> None:
    counts = (("queued", 1), ("running", 1))
    progress = ServiceProgress("shop_load", 1, 3, counts, is_job=True)
    assert render_progress(progress) == "shop_load 1/3 completed queued 1 running 1"


def test_inspect_says_what_a_service_waits_for_and_how_often_it_was_restarted() -> None:
    depends_on = [
        {"service": "shop_db", "condition": "healthy", "restart": True},
        {"service": "shop_cache", "required": False},
    ]
    view = service(waiting_for="waiting for shop_db to be healthy", restarts=4)
    text = render_service(
        {
            "service": view,
            "spec": {"depends_on": depends_on},
            "previous_spec": None,
            "endpoint": {},
        }
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "Starts after: is waiting for shop_db to be healthy" in lines
    assert "shop_db: healthy, restarted with it" in lines
    assert "shop_cache: started, if it is there" in lines
    assert "Restarts: 4" in lines


def test_a_deploy_may_ask_for_another_run_of_the_jobs(
    run: Run, fake_api: FakeApi, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {web: {image: 'web:1'}}")
    assert run("deploy", "--detach", "--rerun", "-c", str(file), "shop").code == 0
    assert fake_api.requests[-1] == "PUT /v1/stacks/shop?prune=0&rerun=1"
