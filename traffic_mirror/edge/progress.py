"""The progress of mirroring a recording, as one line on a terminal: how far, how fast, what is left."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TextIO

_EVERY = 0.5  # seconds
_WINDOW = 20  # steps that the rate is taken over
_CLEAR = "\r\x1b[K"
_DIGITS = 12  # of a record's length
_TAIL = 512  # bytes of a record's end that name its type


class Progress:
    """`seen` tells how many flows were read so far; `total` is known once the file has been counted."""

    def __init__(self, seen: Callable[[], int], out: TextIO, clock: Callable[[], float]) -> None:
        self.total: int | None = None
        self._seen = seen
        self._out = out
        self._clock = clock
        self._steps: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._steps.append((clock(), seen()))

    async def show(self, file: Path | None) -> None:
        """Shows the line until cancelled; `file` is counted meanwhile, where it can be."""
        counting = asyncio.ensure_future(asyncio.to_thread(count_flows, file)) if file is not None else None
        try:
            while True:
                await asyncio.sleep(_EVERY)
                if counting is not None and counting.done():
                    self.total, counting = counting.result(), None
                self._out.write(f"{_CLEAR}{self.line()}")
                self._out.flush()
        finally:
            self._out.write(_CLEAR)
            self._out.flush()

    def line(self) -> str:
        """The line as it is now."""
        now, seen = self._clock(), self._seen()
        self._steps.append((now, seen))
        return progress_line(seen, self.total, self._rate())

    def _rate(self) -> float:
        (began, first), (now, last) = self._steps[0], self._steps[-1]
        return (last - first) / (now - began) if now > began else 0.0


def progress_line(seen: int, total: int | None, rate: float) -> str:
    """`mirror: 1,203 of 12,000 flows (10 %), 412/s, 26 s left`; without a total only what is known."""
    speed = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
    if total is None:
        return f"mirror: {seen:,} flows, {speed}"
    share = f"{100 * seen // max(1, total)} %"
    left = f", {_span((total - seen) / rate)} left" if rate and seen < total else ""
    return f"mirror: {seen:,} of {total:,} flows ({share}), {speed}{left}"


def count_flows(file: Path) -> int | None:
    """How many HTTP flows a flow file holds, by its records' lengths alone; None where it is no such file.

    A record is a tnetstring: its length, a colon, so many bytes and a type.
    """
    try:
        with file.open("rb") as opened:
            return _count_records(opened, file.stat().st_size)
    except OSError:
        return None


def _count_records(file: BinaryIO, size: int) -> int | None:
    count = position = 0
    while position < size:
        digits, colon, _ = file.read(_DIGITS).partition(b":")
        if not colon or not digits.isdigit():
            return None
        end = position + len(digits) + 1 + int(digits) + 1
        file.seek(max(position, end - _TAIL))
        tail = file.read(end - file.tell())
        count += b"4:type;" not in tail or b"4:type;4:http;" in tail
        position = end
        file.seek(position)
    return count


def _span(seconds: float) -> str:
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
