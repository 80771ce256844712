"""Results files as a report reads them: line by line, in bounded memory, whatever they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec

from traffic_mirror.compare.model import Difference, SetAside, VerdictName

MAX_LINE = 8 * 1024 * 1024
_MAX_SHOWN = 3
_BOM = b"\xef\xbb\xbf"


class Line(msgspec.Struct, frozen=True):
    """What the report reads of one line of results; other keys are left alone."""

    id: str
    rule: str
    outcome: str
    time: str | None = None
    api: str | None = None
    destination: str = ""
    route: str | None = None
    method: str = ""
    url: str = ""
    reason: str | None = None
    seconds: float | None = None
    primary_seconds: float | None = None
    verdict: VerdictName | None = None
    verdict_reason: str | None = None
    differences: tuple[Difference, ...] | None = None
    set_aside: tuple[SetAside, ...] | None = None


class Reading:
    """What was wrong with the files read so far: `notes` in words, bounded; `useless` names those without a
    single result among their lines."""

    def __init__(self) -> None:
        self.bad = 0
        self.truncated = False
        self.useless: list[str] = []
        self.notes: list[str] = []

    def read(self, name: str, file: BinaryIO, take: Callable[[Line], None]) -> None:
        """Hands on every result of a file; one that was cut off at the end is noted, not an error."""
        decode = msgspec.json.Decoder(Line).decode
        good = bad = 0
        for number, raw in enumerate(_lines(file), 1):
            try:
                line = decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                if _is_cut_off(raw, error) and good:
                    self.truncated = True
                    self.notes.append(f"{name}:{number}: the last line is cut off and was left out")
                elif raw.strip():
                    bad += 1
                    if bad <= _MAX_SHOWN:
                        self.notes.append(f"{name}:{number}: no result: {error}")
                continue
            good += 1
            take(line)
        self._conclude(name, good, bad)

    def _conclude(self, name: str, good: int, bad: int) -> None:
        self.bad += bad
        if bad > _MAX_SHOWN:
            self.notes.append(f"{name}: {bad - _MAX_SHOWN:,} more lines are no results")
        if bad and not good:
            self.useless.append(name)
            self.notes.append(f"{name}: not one of its lines is a result; expected a file of mirror_results")


def _is_cut_off(raw: bytes, error: Exception) -> bool:
    return not raw.endswith(b"\n") and raw.startswith(b"{") and not isinstance(error, msgspec.ValidationError)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file without a byte order mark; one over the bound is read past and given up as it
    began, so that it is no result."""
    mark = _BOM
    while line := file.readline(MAX_LINE):
        line, mark = line.removeprefix(mark), b""
        if not line.endswith(b"\n") and len(line) >= MAX_LINE - len(_BOM):
            while (more := file.readline(MAX_LINE)) and not more.endswith(b"\n"):
                pass
            line = line[:100] + b"\n"
        yield line
