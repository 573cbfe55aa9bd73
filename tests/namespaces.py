"""Network namespaces for tests, entered by threads: nodes, containers and clients without engines.

A namespace has no name and lives as long as its thread and its sleeping process, so a run that is
killed leaves nothing behind. Code runs inside by `run`; threads that it starts live inside, too,
which is how a whole `NodeNetwork` lives on a node of one test process.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x4000_0000


class NamespaceThread:
    """A thread that lives in the namespace into which `enter` takes it."""

    def __init__(self, enter: Callable[[], None]) -> None:
        self._executor = ThreadPoolExecutor(1, initializer=enter)

    def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, called inside."""
        return self._executor.submit(work).result()

    def start(self, work: Callable[[], None]) -> threading.Thread:
        """A thread inside that runs `work`."""

        def begin() -> threading.Thread:
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            return thread

        return self.run(begin)

    def ip(self, command: str) -> str:
        """Output of one `ip` command inside."""
        return self.run(lambda: _ip(command))

    def command(self, *words: str, text: str | None = None) -> str:
        """Output of a program inside; it must succeed."""
        return self.run(
            lambda: (
                subprocess.run(
                    words, check=True, capture_output=True, text=True, input=text, timeout=10
                ).stdout
            )
        )

    def write_setting(self, path: str, value: str) -> None:
        """A kernel setting below /proc/sys/net of the namespace."""

        def write() -> None:
            with open(f"/proc/sys/net/{path}", "w") as file:  # noqa: PTH123  # a kernel file
                file.write(value)

        self.run(write)

    def close(self) -> None:
        self._executor.shutdown()


class TestNamespace(NamespaceThread):
    """One network namespace with a process in it."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__(_leave_namespace)
        # The process ends with the thread that started it, however that ends.
        command = ["setpriv", "--pdeathsig", "KILL", "sleep", "3600"]
        self.process = self.run(lambda: subprocess.Popen(command))
        self.ip("link set lo up")

    @property
    def pid(self) -> int:
        return self.process.pid

    def end_process(self) -> None:
        """The process ends, as a container's first process does."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.end_process()
        super().close()


def thread_inside(namespace: str) -> NamespaceThread:
    """A thread in a namespace that has a name, as `ip netns` knows it."""

    def enter() -> None:
        descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            _check(ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET))
        finally:
            os.close(descriptor)

    return NamespaceThread(enter)


def connect_namespaces(
    inner: TestNamespace, inner_link: str, outer: TestNamespace, outer_link: str
) -> None:
    """A cable: `inner_link` inside one, `outer_link` inside the other."""

    outer.ip(f"link add {outer_link} type veth peer name {inner_link} netns {inner.pid}")
    outer.ip(f"link set {outer_link} up")
    inner.ip(f"link set {inner_link} up")


@contextlib.contextmanager
def namespaces(count: int) -> Iterator[list[TestNamespace]]:
    """That many namespaces, thrown away in the end."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(TestNamespace())
            stack.callback(made[-1].close)
        yield made


class Listener:
    """A TCP and UDP service inside a namespace, answering `NAME CLIENT-ADDRESS` to everyone."""

    def __init__(self, namespace: TestNamespace, name: str, port: int) -> None:
        self.name = name
        self._tcp = namespace.run(lambda: _listening(socket.SOCK_STREAM, port))
        self._udp = namespace.run(lambda: _listening(socket.SOCK_DGRAM, port))
        self._threads = [namespace.start(self._serve_tcp), namespace.start(self._serve_udp)]

    def close(self) -> None:
        for listening in (self._tcp, self._udp):
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        for thread in self._threads:
            thread.join()

    def _serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, source = self._tcp.accept()
                with connection:
                    connection.sendall(f"{self.name} {source[0]}".encode())

    def _serve_udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                message, source = self._udp.recvfrom(2048)
                if not message:
                    return
                self._udp.sendto(f"{self.name} {source[0]}".encode(), source)


def ask_tcp(address: str, port: int, *, timeout_seconds: float = 3) -> tuple[str, str]:
    """(name, client address) as the service that answers there says. Raises `OSError`."""
    with socket.create_connection((address, port), timeout=timeout_seconds) as connection:
        name, source = connection.makefile().read().split()
        return name, source


def ask_udp(address: str, port: int, *, timeout_seconds: float = 3) -> tuple[str, str]:
    """The same by UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(timeout_seconds)
        connection.connect((address, port))
        connection.send(b"who")
        name, source = connection.recv(2048).decode().split()
        return name, source


def _listening(kind: int, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, kind)
    listening.bind(("0.0.0.0", port))
    if kind == socket.SOCK_STREAM:
        listening.listen(64)
    return listening


def _leave_namespace() -> None:
    _check(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _ip(command: str) -> str:
    ended = subprocess.run(
        ["ip", *command.split()], check=False, capture_output=True, text=True, timeout=10
    )
    assert ended.returncode == 0, f"ip {command}: {ended.stderr}"
    return ended.stdout
