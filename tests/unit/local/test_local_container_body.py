"""Bodies of containers, whole, against golden files.

`STACKCTL_REWRITE=1 pytest tests/unit/local/test_local_container_body.py` writes them anew.
"""

import io
import json
import tarfile
from pathlib import Path

import pytest

from stackctl.compose.document import Document
from stackctl.local.container_body import Making, container_plan
from stackctl.local.container_files import archive_of
from tests.local_stacks import IMAGE_ID, ORIGIN, compare_with_golden, document

GOLDEN = Path(__file__).parents[2] / "golden" / "local"

FULL = """
services:
  web:
    image: busybox
    entrypoint: [sh, -c]
    command: [sleep 1]
    environment: {A: b, C: ''}
    labels: {tier: front}
    hostname: web
    user: '5'
    working_dir: /srv
    ports: ['127.0.0.1:8080:80', '9000-9002:90', '53/udp']
    expose: ['70']
    networks:
      front: {aliases: [www], ipv4_address: 10.9.0.5, priority: 5}
      back:
    volumes:
      - /srv/www:/www:ro
      - data:/data
      - /anonymous
      - {type: tmpfs, target: /scratch, tmpfs: {size: 1m}}
      - {type: bind, source: /etc/strict, target: /strict, bind: {create_host_path: false}}
    configs: [{source: inline, target: /etc/inline, uid: '5', mode: 0400}]
    restart: on-failure:3
    stop_grace_period: 3s
    stop_signal: SIGINT
    healthcheck: {test: [CMD, 'true'], interval: 1s, retries: 2}
    deploy: {resources: {limits: {cpus: '0.5', memory: 64m}, reservations: {memory: 32m}}}
    depends_on: {db: {condition: service_healthy, restart: true}}
    links: ['db:database']
    extra_hosts: ['a:10.0.0.1']
    cap_add: [NET_ADMIN]
    init: true
    logging: {driver: json-file, options: {max-size: 1m}}
  db:
    image: busybox
    networks: [back]
    ipc: shareable
    healthcheck: {test: [CMD, 'true']}
  side:
    image: busybox
    network_mode: 'service:db'
    pid: 'service:db'
    volumes_from: ['web:ro']
networks:
  front: {ipam: {config: [{subnet: 10.9.0.0/24}]}}
  back:
volumes: {data: }
configs: {inline: {content: hello}}
"""


@pytest.fixture
def full(tmp_path: Path) -> Document:
    return document(tmp_path, FULL)


@pytest.mark.parametrize("version", [(1, 41), (1, 48)])
@pytest.mark.parametrize("key", ["web", "side"])
def test_a_service_makes_this_body(full: Document, key: str, version: tuple[int, int]) -> None:
    service = next(it for it in full.services if it.key == key)
    made = container_plan(service, 1, Making(full, ORIGIN, version, IMAGE_ID))
    found = {
        "body": made.body,
        "later": [[it.network, it.body] for it in made.later_networks],
        "files": [repr(it) for it in made.files],
    }
    text = json.dumps(found, indent=2, sort_keys=True) + "\n"
    compare_with_golden(text, GOLDEN / f"{key}-{version[0]}.{version[1]}.json")


def test_files_are_copied_with_owner_and_mode(full: Document) -> None:
    service = next(it for it in full.services if it.key == "web")
    made = container_plan(service, 1, Making(full, ORIGIN, (1, 41), IMAGE_ID))
    with tarfile.open(fileobj=io.BytesIO(archive_of(made.files))) as archive:
        (member,) = archive.getmembers()
        assert (member.name, member.uid, member.mode) == ("etc/inline", 5, 0o400)
        content = archive.extractfile(member)
        assert content is not None
        assert content.read() == b"hello"


def test_inherited_volumes_stay_where_they_were(full: Document) -> None:
    service = next(it for it in full.services if it.key == "web")
    making = Making(
        full, ORIGIN, (1, 41), IMAGE_ID, inherited={"/anonymous": "a1b2", "/image": "c3"}
    )
    mounts = container_plan(service, 1, making).body["HostConfig"]["Mounts"]
    sources = {it["Target"]: it.get("Source") for it in mounts}
    assert sources["/anonymous"] == "a1b2"
    assert sources["/image"] == "c3"


def test_deploy_wins_over_restart(tmp_path: Path) -> None:
    text = "services: {a: {image: x, restart: always, deploy: {restart_policy: {condition: %s}}}}"
    for condition, word in (("none", "no"), ("on-failure", "on-failure"), ("any", "always")):
        found = document(tmp_path, text % condition)
        made = container_plan(found.services[0], 1, Making(found, ORIGIN, (1, 41)))
        assert made.body["HostConfig"]["RestartPolicy"]["Name"] == word


def test_what_a_copied_file_contains_is_never_printed(full: Document) -> None:
    service = next(it for it in full.services if it.key == "web")
    made = container_plan(service, 1, Making(full, ORIGIN, (1, 41)))
    assert "hello" not in repr(made)
