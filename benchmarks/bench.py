"""The run: where it works, on which cores, how long and how often it measures."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cores import Cores


@dataclass(frozen=True, slots=True)
class Bench:
    """One run. `directory` is its own and goes away after it; `seconds` is how long each load lasts."""

    directory: Path
    cores: Cores
    rounds: int
    seconds: float

    def say(self, text: str) -> None:
        """Tells whoever waits what is going on."""
        print(text, file=sys.stderr, flush=True)

    def folder(self, name: str) -> Path:
        """A new folder for one subject's files."""
        folder = self.directory / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
