"""How fast commands for one engine are, beside the engine itself.

    python benchmarks/bench_local.py              an engine of its own (root), busybox
    DOCKER_HOST=unix:///… python benchmarks/bench_local.py IMAGE

Makes a stack of twenty sleepers out of IMAGE (which the engine must have), and prints

    direct      creating and starting as many containers with nothing but calls to the engine
    up -d       the whole command, from an empty engine; to be at most 1.1 times `direct`
    up again    the whole command when nothing has changed; to be at most 0.5 s
    ps          the whole command; to be at most 0.2 s

Each is the median of several rounds; in a round everything is measured once, so that whatever else
the machine does meanwhile meets all of them. `docker-compose` (1.x) stands beside stackctl where it
is installed. The line `load` says how busy the machine was: absolute times count on a quiet one.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import find_endpoint
from stackctl.local.together import all_together

COUNT = 20
ROUNDS = 5
NAME = "benchlocal"
STACKCTL = str(Path(sys.executable).parent / "stackctl")


def main() -> None:
    """Measure and print."""
    with _image_on_an_engine() as image, tempfile.TemporaryDirectory() as folder:
        services = "".join(
            f"  s{number}: {{image: '{image}', command: [sleep, '1000'], stop_grace_period: 0s}}\n"
            for number in range(COUNT)
        )
        Path(folder, "compose.yaml").write_text(f"version: '3.8'\nservices:\n{services}")
        _report(_measure(Engine(find_endpoint(os.environ)), image, folder))


@contextmanager
def _image_on_an_engine() -> Iterator[str]:
    """The image to use; DOCKER_HOST names the engine that has it."""
    if len(sys.argv) > 1:
        yield sys.argv[1]
        return
    from tests.engines import running_engines  # noqa: PLC0415 - only where it is started here
    from tests.images import BUSYBOX_IMAGE  # noqa: PLC0415 - the same

    with running_engines(1, prefix="b") as engines:
        os.environ["DOCKER_HOST"] = engines[0].url
        yield BUSYBOX_IMAGE


def _measure(engine: Engine, image: str, folder: str) -> dict[str, list[float]]:
    """Seconds of each round, by what was done."""
    programs = [program for program in (STACKCTL, shutil.which("docker-compose")) if program]
    found: dict[str, list[float]] = {}

    def measure(what: str, work: Callable[[], None]) -> None:
        began = time.perf_counter()
        work()
        found.setdefault(what, []).append(time.perf_counter() - began)

    for _ in range(ROUNDS):
        measure("direct create and start", partial(_direct, engine, image))
        _remove_direct(engine)
        for program in programs:
            name = Path(program).name
            for words in (("up", "-d"), ("up", "-d"), ("ps",)):
                what = f"{name} {' '.join(words)}"
                is_second = what in found and len(found[what]) > len(found.get(f"{name} ps", ()))
                measure(f"{what} again" if is_second else what, _command(folder, program, *words))
            _command(folder, program, "down", "-t", "0")()
    return found


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


def _command(folder: str, *words: str) -> Callable[[], None]:
    def run() -> None:
        subprocess.run(
            words,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "COMPOSE_PROJECT_NAME": f"{NAME}stack"},
        )

    return run


def _report(found: dict[str, list[float]]) -> None:
    medians = {what: statistics.median(seconds) for what, seconds in found.items()}
    direct = medians["direct create and start"]
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"medians of {ROUNDS} rounds, {COUNT} containers")
    print(f"load {load} on {os.cpu_count()} cores")
    for what, seconds in medians.items():
        ratio = f"  {seconds / direct:.2f} x direct" if what.endswith("up -d") else ""
        print(f"{what:28} {seconds:7.3f} s  (best {min(found[what]):.3f}){ratio}")


if __name__ == "__main__":
    main()
