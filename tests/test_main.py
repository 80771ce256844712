"""The command line as a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_reader_that_has_had_enough_gets_no_traceback(tmp_path: Path) -> None:
    rules = ",".join(f'{{"path": "/{n}", "destinations": ["http://s.test"]}}' for n in range(5000))
    spec = tmp_path / "mirror.json"
    spec.write_text(f'{{"apis": [{{"traffic_mirror": [{rules}]}}]}}')
    with subprocess.Popen(
        [sys.executable, "-m", "traffic_mirror", "explain", str(spec), "GET", "http://h.test/"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(3) == b"GET"
        process.stdout.close()
        assert process.stderr.read() == b""
