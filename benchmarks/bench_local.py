"""How fast commands for one engine are, beside the engine itself.

    DOCKER_HOST=unix:///… python benchmarks/bench_local.py IMAGE

Makes a stack of twenty sleepers out of IMAGE (which the engine must have), and prints

    direct      creating and starting as many containers with nothing but calls to the engine
    up -d       the whole command, from an empty engine; to be at most 1.1 times `direct`
    up again    the whole command when nothing has changed; to be at most 0.5 s
    ps          the whole command; to be at most 0.2 s

Each is the median of several runs. `docker-compose` (1.x) stands beside them where it is installed.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import find_endpoint
from stackctl.local.together import all_together

COUNT = 20
RUNS = 5
NAME = "benchlocal"
STACKCTL = str(Path(sys.executable).parent / "stackctl")


def main() -> None:
    """Measure and print."""
    image = sys.argv[1]
    engine = Engine(find_endpoint(os.environ))
    with tempfile.TemporaryDirectory() as folder:
        services = "".join(
            f"  s{number}: {{image: '{image}', command: [sleep, '1000'], stop_grace_period: 0s}}\n"
            for number in range(COUNT)
        )
        Path(folder, "compose.yaml").write_text(f"version: '3.8'\nservices:\n{services}")
        _command(folder, STACKCTL, "down", "-t", "0")
        direct = _median(partial(_direct, engine, image), before=partial(_remove_direct, engine))
        _remove_direct(engine)
        _report("direct create and start", direct)
        _measure(folder, [STACKCTL], direct)
        other = shutil.which("docker-compose")
        if other:
            _measure(folder, [other], direct)
        _command(folder, STACKCTL, "down", "-t", "0")


def _measure(folder: str, program: list[str], direct: float) -> None:
    down = partial(_command, folder, *program, "down", "-t", "0")
    up = partial(_command, folder, *program, "up", "-d")
    name = Path(program[0]).name
    _report(f"{name} up -d", _median(up, before=down), direct)
    up()
    _report(f"{name} up again", _median(up))
    _report(f"{name} ps", _median(partial(_command, folder, *program, "ps")))
    down()


def _direct(engine: Engine, image: str) -> None:
    engine.post("/networks/create", {"Name": NAME})

    def one(number: int) -> None:
        body = {
            "Image": image,
            "Cmd": ["sleep", "1000"],
            "HostConfig": {"NetworkMode": NAME},
        }
        engine.post("/containers/create", body, {"name": f"{NAME}-{number}"})
        engine.post(f"/containers/{NAME}-{number}/start", timeout_seconds=None)

    all_together([partial(one, number) for number in range(COUNT)])


def _remove_direct(engine: Engine) -> None:
    for container in engine.get("/containers/json", {"all": True}):
        if any(name.startswith(f"/{NAME}-") for name in container["Names"]):
            engine.delete(f"/containers/{container['Id']}", {"force": True})
    for network in engine.get("/networks"):
        if network["Name"] == NAME:
            engine.delete(f"/networks/{network['Id']}")


def _command(folder: str, *words: str) -> None:
    subprocess.run(
        words,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COMPOSE_PROJECT_NAME": f"{NAME}stack"},
    )


def _median(work: Callable[[], None], *, before: Callable[[], None] | None = None) -> float:
    taken = []
    for _ in range(RUNS):
        if before is not None:
            before()
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _report(what: str, seconds: float, compared_with: float | None = None) -> None:
    ratio = f"  {seconds / compared_with:.2f} x direct" if compared_with else ""
    print(f"{what:28} {seconds:7.3f} s{ratio}")


if __name__ == "__main__":
    main()
