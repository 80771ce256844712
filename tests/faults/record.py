"""What the fault tests saw: memory, and a record of each scenario for `docs/reliability.md`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

RECORD = os.environ.get("MIRROR_RELIABILITY", "")


def memory_mib(pid: int) -> float:
    """The memory that a process holds, in MiB."""
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(shown.stdout) / 1024


def note(kind: str, scenario: str, **seen: object) -> None:
    """Keeps one scenario's figures, where a file for them is named (`make reliability`)."""
    if RECORD:
        with Path(RECORD).open("a") as file:
            file.write(json.dumps({"kind": kind, "scenario": scenario, **seen}) + "\n")


def words(ended: Mapping[tuple[str, str], int]) -> str:
    """How copies ended: `40 failed: connect`."""
    return ", ".join(f"{count} {outcome}: {reason}" for (outcome, reason), count in sorted(ended.items()))
