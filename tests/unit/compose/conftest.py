"""The fixture that most tests of the Compose reader start from."""

from pathlib import Path

import pytest

from tests.unit.compose.stack_folder import StackFolder


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackFolder:
    monkeypatch.chdir(tmp_path)
    return StackFolder(tmp_path)
