"""How much of the machine containers use: `stats`. Pure, from the engine's counters.

The engine gives two readings of counters that only grow; shares of time are differences. Numbers
are those of `docker stats`: memory without the page cache that the kernel would give back.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Usage(NamedTuple):
    """One reading. Bytes, except `cpu_percent` (100 is one processor) and `processes`."""

    cpu_percent: float = 0.0
    memory: int = 0
    memory_limit: int = 0
    received: int = 0
    sent: int = 0
    read: int = 0
    written: int = 0
    processes: int = 0

    @property
    def memory_percent(self) -> float:
        """Of the limit; 0 where there is none."""
        return 100 * self.memory / self.memory_limit if self.memory_limit else 0.0


def usage_from(answer: Mapping[str, Any]) -> Usage:
    """The reading in an answer to `GET /containers/ID/stats`; a stopped container uses nothing."""
    memory = answer.get("memory_stats") or {}
    networks = (answer.get("networks") or {}).values()
    return Usage(
        cpu_percent=_cpu_percent(answer),
        memory=_memory(memory),
        memory_limit=int(memory.get("limit") or 0),
        received=sum(int(network.get("rx_bytes") or 0) for network in networks),
        sent=sum(int(network.get("tx_bytes") or 0) for network in networks),
        read=_blocks(answer, "read"),
        written=_blocks(answer, "write"),
        processes=int((answer.get("pids_stats") or {}).get("current") or 0),
    )


def _cpu_percent(answer: Mapping[str, Any]) -> float:
    now, before = answer.get("cpu_stats") or {}, answer.get("precpu_stats") or {}
    used = _total(now) - _total(before)
    passed = int(now.get("system_cpu_usage") or 0) - int(before.get("system_cpu_usage") or 0)
    if used <= 0 or passed <= 0:
        return 0.0
    processors = now.get("online_cpus") or len(
        (now.get("cpu_usage") or {}).get("percpu_usage") or [0]
    )
    return float(used / passed * processors * 100)


def _total(reading: Mapping[str, Any]) -> int:
    return int((reading.get("cpu_usage") or {}).get("total_usage") or 0)


def _memory(memory: Mapping[str, Any]) -> int:
    usage = int(memory.get("usage") or 0)
    details = memory.get("stats") or {}
    # cgroup v1 calls it total_inactive_file, v2 inactive_file.
    cache = int(details.get("total_inactive_file", details.get("inactive_file", 0)) or 0)
    return usage - cache if cache < usage else usage


def _blocks(answer: Mapping[str, Any], operation: str) -> int:
    entries = (answer.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return sum(
        int(entry.get("value") or 0)
        for entry in entries
        if str(entry.get("op", "")).lower() == operation
    )
