"""A destination's health in one word: what its breaker says, then how its newest copies ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Health = Literal["open", "failing", "half_open", "losing", "healthy", "idle"]

NEWEST = 6  # steps of the history, which are half a minute
TROUBLED: tuple[Health, ...] = ("open", "failing", "half_open")  # the most pressing first


def health_of(breaker: str, steps: Sequence[tuple[int, int]]) -> Health:
    """How a destination does; `steps` are how many copies arrived and how many did not, the newest last.

    A breaker asks for a number of failures, so a destination that gets few copies can fail them all and
    have it closed: then it is `failing` all the same.
    """
    if breaker == "open":
        return "open"
    if breaker == "half_open":
        return "half_open"
    newest = steps[-NEWEST:]
    good, bad = sum(step[0] for step in newest), sum(step[1] for step in newest)
    if bad:
        return "failing" if bad >= good else "losing"
    return "healthy" if good else "idle"


def urgency(health: Health) -> int:
    """A rank, the most pressing first; what is in no trouble is all alike, so that its card stays put."""
    return TROUBLED.index(health) if health in TROUBLED else len(TROUBLED)
