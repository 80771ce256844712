"""A test that wants a program skips where it is absent, and fails there with CI=true."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ASKS = 'import pytest\n\n@pytest.mark.needs("no-such-program", "sh")\ndef test_it() -> None:\n    pass\n'


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [pytest.param("", "1 skipped", id="a-newcomer-s-machine"), pytest.param("true", "1 error", id="ci")],
)
def test_a_missing_program_is_named(tmp_path: Path, ci: str, outcome: str) -> None:
    (tmp_path / "test_asks.py").write_text(ASKS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout, done.stdout + done.stderr
    assert "no-such-program is not installed" in done.stdout
    assert (done.returncode == 0) == (not ci)
