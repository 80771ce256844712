"""Rounds: the order things are measured in, and what many samples say together. Pure.

Machines drift: clocks rise and fall, neighbours come and go. So subjects are measured in turn, every second
time backwards, and a ratio is made within a round before the median is taken over rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.report import Spread


def interleave(subjects: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Each round's subjects (or each turn's within a round), every second one in reverse."""
    for number in range(rounds):
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            yield number, subject


def spread_of(samples: Sequence[float]) -> Spread:
    """Median, lowest and highest. Raises ValueError when there is no sample."""
    if not samples:
        raise ValueError("found no samples, expected at least one")
    return Spread(statistics.median(samples), min(samples), max(samples), len(samples))


def ratios(samples: Mapping[str, Sequence[float]], subject: str, base: str) -> tuple[float, ...]:
    """`subject` relative to `base`, round by round. Raises ValueError where they had different rounds."""
    return tuple(one / other for one, other in zip(samples[subject], samples[base], strict=True))


def differences(samples: Mapping[str, Sequence[float]], subject: str, base: str) -> tuple[float, ...]:
    """`subject` above `base`, round by round."""
    return tuple(one - other for one, other in zip(samples[subject], samples[base], strict=True))
