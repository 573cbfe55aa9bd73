"""A bounded load: requests to the given addresses in turn, until a file appears or enough are sent.

Run as a program inside a node (`stackctl lab exec NODE -- python load.py …`); it prints one JSON
object: how many were sent, and what the first failed ones said. It keeps a running count in
COUNT_FILE. Each request has a connection of its own: that is what a load balancer may break.
"""

import asyncio
import json
import math
import sys
import time
from pathlib import Path

VISITORS = 8
REQUEST = b"GET / HTTP/1.0\r\nHost: load\r\n\r\n"
SECONDS_MAX = 200.0
ANSWER_SECONDS_MAX = 8.0
COUNT_EVERY = 200


class Load:
    """What is counted."""

    def __init__(self, addresses: list[str], stop_file: Path, count_file: Path) -> None:
        self.addresses = addresses
        self.stop_file = stop_file
        self.count_file = count_file
        self.sent = 0
        self.failures: list[str] = []
        self.ends_at = time.monotonic() + SECONDS_MAX

    async def visit(self) -> None:
        """Requests one after the other."""
        while time.monotonic() < self.ends_at:
            self.sent += 1
            if self.sent % COUNT_EVERY == 0:
                # Whoever reads it meanwhile sees the former count, and no empty file.
                fresh = self.count_file.with_suffix(".fresh")
                fresh.write_text(str(self.sent))
                fresh.replace(self.count_file)
                if self.stop_file.exists():
                    return
            address = self.addresses[self.sent % len(self.addresses)]
            request = Request(address)
            try:
                answer = await asyncio.wait_for(request.ask(), ANSWER_SECONDS_MAX)
            except (OSError, TimeoutError) as error:
                self.failures.append(f"{request}: {type(error).__name__}: {error}")
                continue
            if not answer.startswith(b"HTTP/1.1 200"):
                self.failures.append(f"{request}: {answer[:60]!r}")


class Request:
    """One request over a connection of its own; as text it says how far it came, and when."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.begun_at = time.time()
        self.connected_after = math.nan  # seconds
        self.own_port = 0

    def __str__(self) -> str:
        return (
            f"{self.address} from port {self.own_port} at {self.begun_at:.3f}, "
            f"connected after {self.connected_after:.3f} s"
        )

    async def ask(self) -> bytes:
        """The answer, read until the server closes."""
        host, _, port = self.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        self.connected_after = time.time() - self.begun_at
        self.own_port = writer.get_extra_info("sockname")[1]
        try:
            writer.write(REQUEST)
            return await reader.read()
        finally:
            writer.close()


async def _run(load: Load) -> None:
    await asyncio.gather(*(load.visit() for _ in range(VISITORS)))


if __name__ == "__main__":
    done = Load(sys.argv[3:], Path(sys.argv[1]), Path(sys.argv[2]))
    asyncio.run(_run(done))
    result = {"sent": done.sent, "failed": len(done.failures), "failures": done.failures[:5]}
    print(json.dumps(result))  # noqa: T201  # its result
