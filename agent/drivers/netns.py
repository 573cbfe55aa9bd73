"""Network namespaces of running containers: entering one for the length of a call.

Entering moves one thread only, so every entry is a thread of its own that ends inside. A namespace
is known by the device and inode of its file, not by a process id: ids are used again, and rules of
one task must never land in another's namespace, least of all in the node's own.
"""

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar

from stackctl.errors import DriverFailure

T = TypeVar("T")

NamespaceIdentity = tuple[int, int]

_CLONE_NEWNET = 0x4000_0000
_OWN = "/proc/thread-self/ns/net"


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
        return run_on_own_thread(work, before=self._enter)

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(self._descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot enter a network namespace: {os.strerror(number)}")


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


def run_on_own_thread(
    work: Callable[[ExitStack], T], *, before: Callable[[], None] | None = None
) -> T:
    """The result of `work` on a thread that ends afterwards, cleaning up what is on the stack."""
    results: list[T] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def body() -> None:
        with ExitStack() as stack:
            try:
                if before is not None:
                    before()
                results.append(work(stack))
            except BaseException as error:  # noqa: BLE001  # top of a thread: raised in the caller's
                failures.append(error)
            finally:
                done.set()

    threading.Thread(target=body, name="network-namespace").start()
    done.wait()
    if failures:
        raise failures[0]
    return results[0]
