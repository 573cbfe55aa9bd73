"""Loads mutants in processes of their own, one for each core, and says which one went wrong.

    python -m tests.fuzz.run FIRST LAST      the seeds from FIRST to LAST, both included
    python -m tests.fuzz.run SEED            one, with its files kept in a new folder

Each mutant must end in a spec or in a list of located problems, within bounds of processor time and
memory. Memory is bounded twice: the process cannot have more than `ADDRESS_SPACE_MAX`, so that a
runaway ends here and not in the machine, and what it really used is held against `RESIDENT_MAX`.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.mutants import SURROUNDINGS, mutant
from tests.fuzz.outcome import SPEC, outcome

SECONDS_MAX = 2.0
RESIDENT_MAX = 200 << 20
ADDRESS_SPACE_MAX = 1 << 30
# A mutant that hangs in C, where the signal's handler cannot run, has its process stopped.
HANGING_SECONDS = 60
SECONDS_A_MUTANT = 1  # on average, on a machine that is busy with much else
ALIKE_SHOWN = 2


class Summary(NamedTuple):
    """What a range of seeds came to; `failures` is empty when all is well."""

    tried: int
    specs: int
    slowest_seconds: float
    slowest_seed: int
    resident_max: int
    failures: tuple[str, ...]


class TooSlow(BaseException):
    """A mutant takes too long; no `except Exception` on the way may stop it."""


def _too_slow(_signal: int, _frame: object) -> None:
    raise TooSlow


def surroundings(folder: Path) -> None:
    """Put the files that mutants name into `folder`."""
    for source in SURROUNDINGS:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    for name in ("config.txt", "secret.txt", "local.env", "web.labels"):
        (folder / name).touch()
    (folder / "common.yml").write_text("services: {base: {image: busybox}}\n")


def try_seed(seed: int, folder: Path, *, keeps_files: bool = False) -> tuple[str, float]:
    """How a seed's mutant ends: what came out or the failure, and the seconds it took."""
    files, paths = mutant(seed)
    before = {name: _content(folder / name) for name in files}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    ended = _timed(paths)
    if not keeps_files:  # the next mutants need the surroundings as they were
        for name, content in before.items():
            (folder / name).write_bytes(content)
    return ended


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _timed(paths: Sequence[str]) -> tuple[str, float]:
    began = time.process_time()
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS_MAX)
        result = outcome(paths)
        signal.setitimer(signal.ITIMER_PROF, 0)
    except (Exception, TooSlow) as error:  # noqa: BLE001 - whatever it is, it is the finding
        signal.setitimer(signal.ITIMER_PROF, 0)
        kind = "too slow" if isinstance(error, TooSlow) else "traceback"
        where = "".join(traceback.format_tb(error.__traceback__)[-2:])
        what = f"{kind}: {type(error).__name__}: {error}"
        return f"{what[:300]}\n{where}", time.process_time() - began
    return result, time.process_time() - began


def child(seeds: Sequence[int]) -> None:
    """Try the seeds; each gets a line of JSON before it begins and one when it has ended."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_MAX, ADDRESS_SPACE_MAX))
    signal.signal(signal.SIGPROF, _too_slow)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        surroundings(folder)
        os.chdir(folder)
        for seed in seeds:
            _tell(json.dumps([seed]))
            result, seconds = try_seed(seed, folder)
            _tell(json.dumps([seed, result, seconds, _resident_max()]))


def _resident_max() -> int:
    """Bytes that this program had in memory at most. (What `getrusage` says begins with the size of
    the process that started this one.)
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def run(first: int, last: int) -> Summary:
    """Try the seeds from `first` to `last` on all cores."""
    cores = os.cpu_count() or 1
    children = []
    for core in range(min(cores, last - first + 1)):
        output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the child has ended
        command = [sys.executable, "-m", "tests.fuzz.run", "--child"]
        command += [str(first + core), str(last), str(cores)]
        children.append((subprocess.Popen(command, stdout=output), output))
    lines: list[list[object]] = []
    failures = []
    for process, output in children:
        code = _ended(process, HANGING_SECONDS + SECONDS_A_MUTANT * (last - first + 1))
        output.seek(0)
        own = [json.loads(line) for line in output.read().splitlines()]
        output.close()
        if code != 0:
            failures.append(f"seed {own[-1][0] if own else first}: the process ended with {code}")
        lines += own
    return summary_of([line for line in lines if len(line) > 1], failures)


def _ended(process: subprocess.Popen[bytes], seconds: float) -> int:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def summary_of(results: list[list[object]], failures: list[str]) -> Summary:
    """The lines that children wrote, as one; `failures` are those of whole processes."""
    ended: list[tuple[int, str, float, int]] = [tuple(line) for line in results]  # type: ignore[misc]  # four of known types, as `child` writes them
    told = False
    alike: Counter[str] = Counter()
    for seed, result, _, resident in sorted(ended):
        if result.startswith(("traceback", "too slow", "wrong")):
            kind = re.sub(r"\d+", "", result)[:60]
            alike[kind] += 1
            if alike[kind] <= ALIKE_SHOWN:
                failures.append(f"python -m tests.fuzz.run {seed}: {result}")
        if resident > RESIDENT_MAX and not told:
            failures.append(f"python -m tests.fuzz.run {seed}: {resident >> 20} MiB in memory")
            told = True  # it is a maximum: all later seeds of the process show it too
    more = sum(max(0, count - ALIKE_SHOWN) for count in alike.values())
    if more:
        failures.append(f"and {more} more like these")
    slowest = max(ended, key=lambda line: line[2], default=(0, "", 0.0, 0))
    return Summary(
        tried=len(ended),
        specs=sum(result == SPEC for _, result, _, _ in ended),
        slowest_seconds=slowest[2],
        slowest_seed=slowest[0],
        resident_max=max((line[3] for line in ended), default=0),
        failures=tuple(failures),
    )


def main(words: Sequence[str]) -> int:
    """Do as the module's docstring says."""
    if words[0] == "--child":
        first, last, step = map(int, words[1:])
        child(range(first, last + 1, step))
        return 0
    if len(words) == 1:
        folder = Path(tempfile.mkdtemp(prefix="mutant-"))
        surroundings(folder)
        os.chdir(folder)
        signal.signal(signal.SIGPROF, _too_slow)
        result, seconds = try_seed(int(words[0]), folder, keeps_files=True)
        _tell(f"{result}\n{seconds:.3f} s; the files are in {folder}")
        return 0
    began = time.monotonic()
    summary = run(int(words[0]), int(words[1]))
    for failure in summary.failures:
        _tell(failure)
    _tell(
        f"{summary.tried} mutants in {time.monotonic() - began:.0f} s: {summary.specs} are stacks, "
        f"{len(summary.failures)} failures; the slowest, seed {summary.slowest_seed}, took "
        f"{summary.slowest_seconds:.2f} s; {summary.resident_max >> 20} MiB at most"
    )
    return 1 if summary.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
