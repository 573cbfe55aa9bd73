"""Mistakes that people make get one clear answer, and change nothing that they should not."""

from pathlib import Path

import pytest

from tests.e2e.cluster import LabCluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SLEEPER = "image: stackctl/busybox:test\n    command: sleep 100000"


def write(folder: Path, text: str) -> str:
    """A stack file."""
    path = folder / "stack.yml"
    path.write_text(text)
    return str(path)


def test_an_image_that_does_not_exist_ends_the_deploy_with_the_engines_words(
    lab: LabCluster, tmp_path: Path
) -> None:
    path = write(tmp_path, "services:\n  ghost:\n    image: nobody/has-this:1\n")
    done = lab.try_run("deploy", "-c", path, "mistaken")
    shown = lab.run("service", "ps", "--no-trunc", "mistaken_ghost")
    lab.run("stack", "rm", "mistaken")
    assert done.returncode == 4, done
    assert "nobody/has-this" in done.stderr, done.stderr
    assert "Rejected" in shown, shown
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_refused_before_anything_changes(
    juergenapp: LabCluster, tmp_path: Path
) -> None:
    path = write(tmp_path, f'services:\n  other:\n    {SLEEPER}\n    ports: ["80:8080"]\n')
    done = juergenapp.try_run("deploy", "-c", path, "second")
    assert done.returncode == 1, done
    assert "port 80/tcp of second_other is already published by juergenapp_nginx" in done.stderr
    assert [row["Name"] for row in juergenapp.rows("stack", "ls")] == ["juergenapp"]


def test_a_constraint_that_nobody_meets_leaves_the_task_pending_with_counts(
    lab: LabCluster, tmp_path: Path
) -> None:
    path = write(
        tmp_path,
        f"services:\n  lost:\n    {SLEEPER}\n    deploy:\n      placement:\n"
        "        constraints: [node.labels.nobody == has]\n",
    )
    lab.run("deploy", "--detach", "-c", path, "picky")
    shown = lab.run("service", "ps", "--no-trunc", "picky_lost")
    lab.run("stack", "rm", "picky")
    assert "Pending" in shown, shown
    assert "no suitable node (scheduling constraints not satisfied on 3 nodes)" in shown, shown


def test_an_unknown_key_is_named_with_its_place_and_its_neighbour(
    lab: LabCluster, tmp_path: Path
) -> None:
    path = write(tmp_path, f"services:\n  web:\n    {SLEEPER}\n    enviroment:\n      A: b\n")
    done = lab.try_run("deploy", "-c", path, "misspelt")
    assert done.returncode == 2, done
    assert f"{path}:5:5" in done.stderr, done.stderr
    assert "environment" in done.stderr, done.stderr


def test_without_a_manager_one_sentence_says_what_to_do(lab: LabCluster, tmp_path: Path) -> None:
    done = lab.try_run("--endpoint", f"unix://{tmp_path}/nobody.sock", "service", "ls")
    assert done.returncode == 3, done
    assert "nobody.sock" in done.stderr
    assert len(done.stderr.splitlines()) <= 2, done.stderr
