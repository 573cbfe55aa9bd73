"""Several calls at once, each in a thread; the first failure is raised when all ended."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE_MAX = 16


def all_together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """The results in the order of the calls. Raises what the first call to fail raised."""
    if len(calls) < 2:
        return [call() for call in calls]
    results: list[Any] = [None] * len(calls)
    failures: list[BaseException] = []
    waiting = list(enumerate(calls))[::-1]
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                index, call = waiting.pop()
            try:
                results[index] = call()
            except BaseException as failure:  # noqa: BLE001 - raised again in the caller's thread
                failures.append(failure)

    threads = [
        threading.Thread(target=work, daemon=True) for _ in range(min(len(calls), AT_ONCE_MAX))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results
