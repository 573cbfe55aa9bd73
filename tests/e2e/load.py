"""A bounded load: requests to the given addresses in turn, until a file appears or enough are sent.

Run as a program inside a node (`stackctl lab exec NODE -- python load.py …`); it prints one JSON
object: how many were sent, and what the first failed ones said. It keeps a running count in
COUNT_FILE. Each request has a connection of its own: that is what a load balancer may break.
"""

import asyncio
import json
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
                self.count_file.write_text(str(self.sent))
                if self.stop_file.exists():
                    return
            address = self.addresses[self.sent % len(self.addresses)]
            try:
                answer = await asyncio.wait_for(_ask(address), ANSWER_SECONDS_MAX)
            except (OSError, TimeoutError) as error:
                self.failures.append(f"{address}: {type(error).__name__}: {error}")
                continue
            if not answer.startswith(b"HTTP/1.1 200"):
                self.failures.append(f"{address}: {answer[:60]!r}")


async def _ask(address: str) -> bytes:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
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
