"""What reading a Compose file costs as a whole process, beside `docker stack config`.

    python benchmarks/bench_compose.py [--runs 15]

Each number is the best of a few runs of a new process, interpreter and imports included, since that
is what a user waits for; the machine's other work makes runs slower, never faster. Absolute times
say as much about the machine as about us, so each is also a ratio to the bare interpreter, and to
the docker client where there is one.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

STACKCTL = Path(sys.executable).with_name("stackctl")
LOAD = """
import sys
from stackctl.compose.load import load_stack
load_stack(sys.argv[1:], "shop", environment={})
"""
LIMIT_SECONDS = {50: 0.2, 300: 0.8}
HELP_LIMIT_SECONDS = 0.1

HEAD = """\
version: "3.8"
x-logging: &logging
  driver: json-file
  options: {max-size: 10m, max-file: "3"}
networks:
  front:
  back: {internal: true}
volumes:
"""
VOLUME = "  data{number}: {{labels: {{org.example.of: service{number}}}}}\n"
SERVICE = """\
  service{number}:
    image: registry.example.org/shop/service{number}:1.{number}
    command: ["serve", "--port", "8080"]
    environment:
      NAME: service{number}
      MODE: ${{MODE:-production}}
      WORKERS: 4
      DATABASE: "postgres://db/{number}"
    labels: {{org.example.number: "{number}"}}
    networks: [front, back]
    ports: ["{port}:8080"]
    volumes: ["data{number}:/var/lib/data", "/srv/shared:/srv/shared:ro"]
    healthcheck: {{test: [CMD, wget, -q, -O-, "http://localhost:8080/"], interval: 10s, retries: 3}}
    logging: *logging
    deploy:
      replicas: 2
      placement: {{constraints: [node.role == worker]}}
      resources: {{limits: {{cpus: "0.5", memory: 128M}}, reservations: {{memory: 64M}}}}
      restart_policy: {{condition: on-failure, delay: 5s, max_attempts: 3}}
      update_config: {{parallelism: 1, delay: 5s, order: stop-first, failure_action: rollback}}
"""


def compose_file(services: int) -> str:
    """A file as people write it, with that many services."""
    volumes = "".join(VOLUME.format(number=number) for number in range(services))
    bodies = (SERVICE.format(number=number, port=10_000 + number) for number in range(services))
    return f"{HEAD}{volumes}services:\n{''.join(bodies)}"


def best_seconds(command: Sequence[str | Path], runs: int) -> float:
    """The shortest whole run of the command, which must succeed."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return min(times)


def show(
    what: str, seconds: float, *, bare: float, docker: float | None, limit: float | None
) -> None:
    """One line of the result."""
    parts = [f"{what:<42}{seconds * 1000:7.0f} ms  {seconds / bare:5.1f} x interpreter"]
    if docker is not None:
        parts.append(f"{seconds / docker:5.1f} x docker")
    if limit is not None:
        met = "within" if seconds <= limit else "ABOVE"
        parts.append(f"{met} the limit of {limit * 1000:.0f} ms")
    print("  ".join(parts))


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        bare = best_seconds([sys.executable, "-c", "pass"], runs)
        show("bare interpreter", bare, bare=bare, docker=None, limit=None)
        seconds = best_seconds([STACKCTL, "--help"], runs)
        show("stackctl --help", seconds, bare=bare, docker=None, limit=HELP_LIMIT_SECONDS)
        for services in (5, 50, 300):
            path = Path(folder, f"{services}.yml")
            path.write_text(compose_file(services))
            docker = None
            if shutil.which("docker"):
                docker = best_seconds(["docker", "stack", "config", "-c", path], runs)
                show(
                    f"docker stack config, {services} services",
                    docker,
                    bare=bare,
                    docker=None,
                    limit=None,
                )
            seconds = best_seconds([sys.executable, "-c", LOAD, path], runs)
            limit = LIMIT_SECONDS.get(services)
            show(
                f"read + check + convert, {services} services",
                seconds,
                bare=bare,
                docker=docker,
                limit=limit,
            )
            seconds = best_seconds([STACKCTL, "config", "-c", path], runs)
            what = f"stackctl config, {services} services"
            show(what, seconds, bare=bare, docker=docker, limit=None)


if __name__ == "__main__":
    main()
