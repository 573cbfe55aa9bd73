"""The layers of the architecture hold, and the tool that says so can say no."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).parent / "lint-imports"


def test_the_layers_are_kept() -> None:
    done = subprocess.run([LINTER], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_a_clock_in_the_core_is_found(tmp_path: Path) -> None:
    package = tmp_path / "stackctl"
    (package / "core").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "core" / "__init__.py").write_text("import time\n")
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_package = stackctl\ninclude_external_packages = True\n"
        "[importlinter:contract:pure]\nname = pure\ntype = forbidden\n"
        "source_modules = stackctl.core\nforbidden_modules = time\n"
    )
    done = subprocess.run([LINTER], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
