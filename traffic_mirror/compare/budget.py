"""The budget of one comparison: how much work it may be, counted in steps, and optionally how long it may
take."""

from __future__ import annotations

from collections.abc import Callable

STEPS = 2_000_000
"""Some two seconds of one core; a pair of 2 KiB needs some hundred."""

_LOOK_EVERY = 2000


class OverBudgetError(Exception):
    """The comparison was given up."""


class Budget:
    """Counts steps, and raises `OverBudgetError` past `steps` or, with a `clock`, after `seconds`."""

    __slots__ = ("_clock", "_deadline", "_next", "_steps", "spent")

    def __init__(
        self, steps: int = STEPS, seconds: float | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        self._steps = steps
        self._clock = clock
        self._deadline = clock() + seconds if clock is not None and seconds is not None else None
        self._next = _LOOK_EVERY
        self.spent = 0

    def spend(self, steps: int) -> None:
        """Counts work about to be done."""
        self.spent += steps
        if self.spent > self._steps:
            raise OverBudgetError
        if self.spent >= self._next:
            self._next = self.spent + _LOOK_EVERY
            self.look()

    def look(self) -> None:
        """Looks at the clock, after work that could not be counted."""
        if self._clock is not None and self._deadline is not None and self._clock() > self._deadline:
            raise OverBudgetError
