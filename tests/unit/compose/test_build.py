"""`build`, short and long: what it says, and what is wrong with it."""

import pytest

from stackctl.compose.parts.attachments import SecretUse
from stackctl.compose.parts.build import Build
from stackctl.model.specs import Ulimit
from tests.unit.compose.document_reading import read_service, service_problems


def build(body: str) -> Build:
    found = read_service(body).build
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "context"),
    [
        (".", "/stack"),
        ("./web", "/stack/web"),
        ("../web", "/web"),
        ("/srv/web", "/srv/web"),
        ("https://example.org/web.git#main:docker", "https://example.org/web.git#main:docker"),
        ("git@example.org:web.git", "git@example.org:web.git"),
        ("ssh://example.org/web.git", "ssh://example.org/web.git"),
        ("github.com/example/web", "github.com/example/web"),
    ],
)
def test_a_context_is_a_folder_or_what_the_builder_fetches(written: str, context: str) -> None:
    assert build(f"build: {written}").context == context
    assert build(f"build: {{context: '{written}'}}").context == context


def test_without_a_context_the_folder_of_the_file_is_built() -> None:
    assert build("build: {target: web}").context == "/stack"


def test_everything_that_a_build_can_say() -> None:
    body = """
    build:
      context: web
      dockerfile: Dockerfile.web
      args: [A=1, B]
      additional_contexts: {base: docker-image://alpine, app: 'service:app', files: ./files}
      cache_from: [a]
      cache_to: ["type=local,dest=x"]
      no_cache: 'true'
      no_cache_filter: stage
      pull: true
      target: production
      network: host
      platforms: [linux/amd64]
      privileged: true
      provenance: mode=max
      sbom: true
      entitlements: [network.host]
      isolation: default
      secrets: [token, {source: key, target: id_rsa, uid: "1", mode: 0400}]
      shm_size: 64m
      ssh: [default, deploy=./key]
      tags: [web:1]
      labels: {a: b}
      extra_hosts: ["db=10.0.0.1"]
      ulimits: {nofile: {soft: 1, hard: 2}}
      x-note: mine
    """
    found = build(body)
    assert {name: place.path[-1] for name, place in found.context_places.items()} == {
        name: name for name in ("base", "app", "files")
    }
    assert found.secrets == (
        SecretUse("token", found.secrets[0].place, "/run/secrets/token"),
        SecretUse("key", found.secrets[1].place, "/run/secrets/id_rsa", uid="1", mode=0o400),
    )
    assert found == Build(
        found.place,
        context="/stack/web",
        dockerfile="Dockerfile.web",
        arguments={"A": "1", "B": None},
        additional_contexts={
            "base": "docker-image://alpine",
            "app": "service:app",
            "files": "/stack/files",
        },
        context_places=found.context_places,
        cache_from=("a",),
        cache_to=("type=local,dest=x",),
        no_cache=True,
        no_cache_filter=("stage",),
        pull=True,
        target="production",
        network="host",
        platforms=("linux/amd64",),
        privileged=True,
        provenance="mode=max",
        sbom="true",
        entitlements=("network.host",),
        isolation="default",
        secrets=found.secrets,
        shm_size_bytes=64 << 20,
        ssh={"default": "", "deploy": "./key"},
        tags=("web:1",),
        labels={"a": "b"},
        extra_hosts=("db:10.0.0.1",),
        ulimits=(Ulimit(name="nofile", soft=1, hard=2),),
    )


@pytest.mark.parametrize(("written", "expected"), [("false", "false"), ("'TRUE'", "true")])
def test_an_attestation_is_switched_or_set(written: str, expected: str) -> None:
    assert build(f"build: {{provenance: {written}}}").provenance == expected


def test_one_ssh_agent_may_be_written_alone() -> None:
    assert build("build: {ssh: default}").ssh == {"default": ""}
    assert build("build: {ssh: {key: /home/me/key}}").ssh == {"key": "/home/me/key"}


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("''", "4:5: services.web.build: is empty; give it a value, or remove the key"),
        ("5", "4:12: services.web.build: must be text, not a number (5); put it in quotes"),
        (
            "[.]",
            "4:12: services.web.build: must be text, not a list",
        ),
        (
            "{dockerfile: a, dockerfile_inline: b}",
            "4:28: services.web.build.dockerfile_inline: excludes dockerfile; keep one of the two",
        ),
        (
            "{contxt: .}",
            "4:13: services.web.build.contxt: unknown key; did you mean context?",
        ),
        (
            "{additional_contexts: [app]}",
            (
                "4:35: services.web.build.additional_contexts[0]: "
                "context app names nothing; write NAME=PATH"
            ),
        ),
        (
            "{ssh: [key]}",
            (
                "4:19: services.web.build.ssh[0]: "
                "ssh key names no socket and no key; write ID=PATH, or default"
            ),
        ),
        ("{no_cache: maybe}", "4:23: services.web.build.no_cache: must be true or false, not text"),
        ("{shm_size: big}", "4:23: services.web.build.shm_size: 'big': not a size in bytes"),
        ("{context: ~}", "4:22: services.web.build.context: has no value; text is expected"),
        ("{context: ~other/x}", "4:22: services.web.build.context: '~other/x': the home of"),
    ],
)
def test_build_mistakes(written: str, problem: str) -> None:
    (found,) = service_problems(f"build: {written}")
    assert found.startswith(problem)
