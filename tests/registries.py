"""A registry for tests, in an engine's own namespace, so that it is on the engine's loopback."""

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import bcrypt

from tests.engines import EngineForTests
from tests.eventually import eventually

USER, PASSWORD = "someone", "something"
_SETTINGS = """
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %(folder)s/images}}
http: {addr: "127.0.0.1:%(port)d"}
auth: {htpasswd: {realm: tests, path: %(folder)s/htpasswd}}
"""


@contextlib.contextmanager
def running_registry(engine: EngineForTests, folder: Path, port: int) -> Iterator[str]:
    """A registry that lets `USER` with `PASSWORD` in; gives its name, `127.0.0.1:PORT`."""
    secret = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{USER}:{secret}\n")
    (folder / "config.yml").write_text(_SETTINGS % {"folder": folder, "port": port})
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            engine.command("docker-registry", "serve", str(folder / "config.yml")),
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: _answers(engine, port), timeout_seconds=10)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def docker_config(folder: Path, registry: str) -> None:
    """What `docker login` would leave in `folder`."""
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {registry: {"auth": auth}}}))


def helper_config(folder: Path, registry: str) -> None:
    """A configuration with a helper program, which is put into `folder`, too."""
    folder.mkdir(exist_ok=True)
    answer = json.dumps({"ServerURL": registry, "Username": USER, "Secret": PASSWORD})
    program = folder / "docker-credential-for-tests"
    program.write_text(f"#!/bin/sh\nread -r server\necho '{answer}'\n")
    program.chmod(0o755)
    (folder / "config.json").write_text(json.dumps({"credHelpers": {registry: "for-tests"}}))


def _answers(engine: EngineForTests, port: int) -> bool:
    asked = subprocess.run(
        engine.command("curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/v2/"),
        check=False,
        timeout=5,
    )
    return asked.returncode == 0
