"""Network namespaces of running containers: entering one for the length of a call.

Entering moves one thread only, so it is done by threads of its own, the *visitors*. They come home
after each visit, and stay a moment for the next one: a change of rules visits one container after
the other, and a thread for each visit would cost a third as much as what it is for. A namespace is
known by the device and inode of its file, not by a process id: ids are used again, and rules of
one task must never land in another's namespace, least of all in the node's own.
"""

import contextlib
import ctypes
import functools
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar

from stackctl.errors import DriverFailure

T = TypeVar("T")

NamespaceIdentity = tuple[int, int]

_CLONE_NEWNET = 0x4000_0000
_OWN = "/proc/thread-self/ns/net"
_STAY_SECONDS = 1.0  # for another visit; an idle agent keeps no visitors
_CLEANING_MAX = 16  # visits that may wait for somebody else to clean up after them


class NamespaceGone(DriverFailure):
    """The process has ended, or its namespace is not one that may be entered."""


class Namespace:
    """An open network namespace; open, it stays what it is even when its last process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self.identity: NamespaceIdentity = (found.st_dev, found.st_ino)

    def run(self, work: Callable[[ExitStack], T]) -> T:
        """The result of `work`, called on a thread inside the namespace; what it raises is raised.

        What `work` puts on the stack is cleaned up after the result has been handed over: closing
        a netfilter socket waits for the kernel's garbage (some 15 ms), for which nobody need wait.
        """
        return _visitors.visit(self._descriptor, work)


@contextlib.contextmanager
def open_namespace(pid: int) -> Iterator[Namespace]:
    """The namespace of a process, open as long as the context.

    Raises `NamespaceGone` when the process has ended or shares this process's own namespace.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise NamespaceGone(f"process {pid} has ended") from error
    try:
        namespace = Namespace(descriptor)
        if namespace.identity == own_identity():
            raise NamespaceGone(f"process {pid} has no network namespace of its own")
        yield namespace
    finally:
        os.close(descriptor)


def own_identity() -> NamespaceIdentity:
    """The namespace of the calling thread: the node's own."""
    found = os.stat(_OWN)  # noqa: PTH116  # the thing named, followed, without a Path between
    return (found.st_dev, found.st_ino)


def run_on_own_thread(work: Callable[[ExitStack], T]) -> T:
    """The result of `work` on a thread that ends afterwards, cleaning up what is on the stack."""
    visit = _Visit(work)
    threading.Thread(target=visit.carry_out_and_clean, name="network-namespace").start()
    return visit.result()


class _Visit(Generic[T]):
    """One call on another thread."""

    def __init__(self, work: Callable[[ExitStack], T], descriptor: int | None = None) -> None:
        self._work = work
        self._descriptor = descriptor  # of the namespace to enter
        self._results: list[T] = []
        self._failures: list[BaseException] = []
        self._done = threading.Event()

    def result(self) -> T:
        """Waits for the end; raises what the work raised."""
        self._done.wait()
        if self._failures:
            raise self._failures[0]
        return self._results[0]

    def carry_out(self) -> ExitStack:
        """On the thread that is meant; returns what is to be cleaned up."""
        stack = ExitStack()
        try:
            if self._descriptor is not None:
                _enter(self._descriptor)
            self._results.append(self._work(stack))
        except BaseException as error:  # noqa: BLE001  # top of a thread: raised in the caller's
            self._failures.append(error)
        finally:
            self._done.set()
        return stack

    def carry_out_and_clean(self) -> None:
        """On a thread of its own."""
        self.carry_out().close()


class _Visitors:
    """Threads that visit namespaces, and one that cleans up after them. All end by themselves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[_Visit[Any]]] = []  # each is a visitor's own
        self._to_clean: list[ExitStack] = []
        self._is_cleaning = False

    def visit(self, descriptor: int, work: Callable[[ExitStack], T]) -> T:
        """The result of `work` inside that namespace."""
        visit = _Visit(work, descriptor)
        with self._lock:
            visits = self._idle.pop() if self._idle else None
        if visits is None:
            visits = queue.SimpleQueue()
            threading.Thread(
                target=self._visit_for_a_while,
                args=(visits,),
                name="network-namespace",
                daemon=True,
            ).start()
        visits.put(visit)
        return visit.result()

    def _visit_for_a_while(self, visits: "queue.SimpleQueue[_Visit[Any]]") -> None:
        with Path(_OWN).open("rb") as home:
            while True:
                try:
                    visit = visits.get(timeout=_STAY_SECONDS)
                except queue.Empty:
                    with self._lock:
                        if visits in self._idle:
                            self._idle.remove(visits)
                            return
                    continue  # somebody has just taken this visitor: the visit is on its way
                self._leave_to_clean(visit.carry_out())
                # A visitor that cannot come home ends here, where it does no harm.
                _enter(home.fileno())
                del visit
                with self._lock:
                    self._idle.append(visits)

    def _leave_to_clean(self, stack: ExitStack) -> None:
        with self._lock:
            is_left = len(self._to_clean) < _CLEANING_MAX
            if is_left:
                self._to_clean.append(stack)
            starts = is_left and not self._is_cleaning
            self._is_cleaning |= starts
        if starts:
            threading.Thread(target=self._clean, name="namespace-cleaner", daemon=True).start()
        if not is_left:
            stack.close()

    def _clean(self) -> None:
        while True:
            with self._lock:
                if not self._to_clean:
                    self._is_cleaning = False
                    return
                stack = self._to_clean.pop(0)
            with contextlib.suppress(OSError):
                stack.close()


def _enter(descriptor: int) -> None:
    libc = _libc()
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot enter a network namespace: {os.strerror(number)}")


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


_visitors = _Visitors()
