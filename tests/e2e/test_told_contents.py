"""A changed config or secret with `x-on-change` reaches the process that runs, by a signal."""

from pathlib import Path

import pytest

from tests.e2e.cluster import LabCluster
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

FILE = """\
services:
  page:
    image: nginx:1.22
    configs:
      - {source: page, target: /etc/nginx/conf.d/default.conf, x-on-change: SIGHUP}
    secrets:
      - {source: key, target: key, x-on-change: SIGHUP}
    ports: ["8089:80"]
    deploy:
      replicas: 2
      update_config: {monitor: 500ms}
configs:
  page: {file: ./page.conf}
secrets:
  key: {file: ./key.txt}
"""


def page(words: str) -> str:
    return f'server {{ listen 80; location / {{ return 200 "{words}\\n"; }} }}\n'


def test_a_changed_content_is_served_by_the_same_containers(
    lab: LabCluster, tmp_path: Path
) -> None:
    lab.run("lab", "up")
    file = tmp_path / "stack.yml"
    file.write_text(FILE)

    def deploy(words: str, key: str) -> str:
        (tmp_path / "page.conf").write_text(page(words))
        (tmp_path / "key.txt").write_text(key)
        return lab.run("deploy", "-c", str(file), "told")

    def serves(words: str) -> bool:
        nodes = ("manager1", "worker1", "worker2") * 2
        return {lab.ask(lab.address(node), "/", port=8089).text for node in nodes} == {f"{words}\n"}

    try:
        deploy("first", "one")
        eventually(lambda: serves("first"), timeout_seconds=20)
        before = lab.running_on("told_page"), sorted(lab.started_at("told_page"))
        deploy("second", "two")
        eventually(lambda: serves("second"), timeout_seconds=20)
        assert (lab.running_on("told_page"), sorted(lab.started_at("told_page"))) == before
    finally:
        lab.try_run("stack", "rm", "told")
