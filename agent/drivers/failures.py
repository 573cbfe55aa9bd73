"""Several things done, some failed: go on with the rest, and raise what failed in one sentence."""

from types import TracebackType

from stackctl.errors import DriverFailure, PermanentFailure, TemporaryFailure


class Failures:
    """Collects the driver failures of a list of independent steps."""

    def __init__(self) -> None:
        self._failures: list[DriverFailure] = []

    def __bool__(self) -> bool:
        return bool(self._failures)

    def collected(self) -> "_Step":
        """A step (`with failures.collected(): …`): its driver failure is kept for `raise_any`, and
        what comes after the step runs."""
        return _Step(self._failures)

    def raise_any(self) -> None:
        """Raise one failure that names all: temporary when trying again can help any of them."""
        if not self._failures:
            return
        reason = "; ".join(dict.fromkeys(failure.reason for failure in self._failures))
        delays = [
            failure.retry_after_seconds
            for failure in self._failures
            if isinstance(failure, TemporaryFailure)
        ]
        if delays:
            raise TemporaryFailure(reason, retry_after_seconds=min(delays)) from self._failures[0]
        raise PermanentFailure(reason) from self._failures[0]


class _Step:
    def __init__(self, failures: list[DriverFailure]) -> None:
        self._failures = failures

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, DriverFailure):
            return False
        self._failures.append(error)
        return True
