"""The option that rewrites the expected text of scenarios; the diff is then reviewed."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite",
        action="store_true",
        default=False,
        help="write what scenarios print into their files instead of comparing it",
    )
