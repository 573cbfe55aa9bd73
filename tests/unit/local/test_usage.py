"""Readings of the engine's counters."""

from typing import Any

from stackctl.cli.render.amounts import render_binary_bytes, render_decimal_bytes
from stackctl.local.usage import Usage, usage_from

ANSWER: dict[str, Any] = {
    "cpu_stats": {
        "cpu_usage": {"total_usage": 300},
        "system_cpu_usage": 2000,
        "online_cpus": 2,
    },
    "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000},
    "memory_stats": {"usage": 5000, "limit": 10000, "stats": {"total_inactive_file": 1000}},
    "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 3, "tx_bytes": 4}},
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"op": "Read", "value": 7},
            {"op": "write", "value": 8},
            {"op": "Total", "value": 15},
        ]
    },
    "pids_stats": {"current": 9},
}


def test_shares_are_differences_and_memory_is_without_the_cache() -> None:
    usage = usage_from(ANSWER)
    assert usage == Usage(40.0, 4000, 10000, 4, 6, 7, 8, 9)
    assert usage.memory_percent == 40.0


def test_the_second_cgroups_name_the_cache_otherwise() -> None:
    memory = {"usage": 5000, "stats": {"inactive_file": 2000}}
    assert usage_from({**ANSWER, "memory_stats": memory}).memory == 3000


def test_a_stopped_container_uses_nothing() -> None:
    empty: dict[str, Any] = {
        "cpu_stats": {},
        "precpu_stats": {},
        "memory_stats": {},
        "pids_stats": {},
    }
    assert usage_from(empty) == Usage()
    assert Usage().memory_percent == 0.0


def test_amounts_read_as_dockers_do() -> None:
    assert [render_decimal_bytes(it) for it in (0, 999, 1000, 1234567, 999_999)] == [
        "0B",
        "999B",
        "1kB",
        "1.23MB",
        "1000kB",
    ]
    assert [render_binary_bytes(it) for it in (0, 1023, 1536, 24 * 2**30)] == [
        "0B",
        "1023B",
        "1.5KiB",
        "24GiB",
    ]
