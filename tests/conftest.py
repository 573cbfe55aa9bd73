"""Fixtures for all tests."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ("tests.engines",)

LOGGERS = ("", "agent", "stackctl")


@pytest.fixture(autouse=True)
def _leaves_the_process_as_it_was() -> Iterator[None]:
    """What all tests of a process share is as the test found it.

    One that had silenced a logger made others fail, wherever the order put them after it.
    """
    before = _shared()
    yield
    assert _shared() == before


def _shared() -> tuple[object, ...]:
    levels = tuple(logging.getLogger(name).level for name in LOGGERS)
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return levels, environment, Path.cwd()
