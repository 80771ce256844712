"""A destination's circuit breaker: whether it is worth trying at all. Pure; the clock is passed in."""

from __future__ import annotations

from collections import deque
from typing import Literal

from traffic_mirror.spec.model import CircuitBreaker

State = Literal["closed", "half_open", "open"]


class Breaker:
    """Opens when too many of the last copies failed; then one probe at a time decides.

    `refuses` asks whether a copy is worth queueing, `begin` whether it may be sent now, and `end` tells
    how a sent one ended. Times are in seconds of any steady clock. `failed_of` is how many had failed, of
    how many that were looked at, when it last opened.
    """

    __slots__ = ("_failed", "_opened", "_policy", "_probing", "_recent", "failed_of", "state")

    def __init__(self, policy: CircuitBreaker) -> None:
        self._policy = policy
        self._recent: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._opened = 0.0
        self.failed_of = (0, 0)
        self._probing = False
        self.state: State = "closed"

    def refuses(self, now: float) -> bool:
        """Whether a copy that comes now has no chance to be sent."""
        if self.state == "closed":
            return False
        return self._probing or now - self._opened < self._policy.open_for

    def begin(self, now: float) -> bool:
        """Whether a copy may be sent now; the first one after `open_for` seconds becomes the probe."""
        if self.state == "closed":
            return True
        if self.refuses(now):
            return False
        self.state = "half_open"
        self._probing = True
        return True

    def end(self, now: float, *, ok: bool) -> bool:
        """Takes a sent copy's end; True when the breaker opened or closed because of it."""
        if self.state == "open":
            return False
        if self.state == "half_open":
            return self._decide(now, ok=ok)
        self._remember(now, ok=ok)
        if self._failed < self._policy.failures * self._policy.of or len(self._recent) < self._policy.of:
            return False
        self.failed_of = (self._failed, len(self._recent))
        self._open(now)
        return True

    def abandon(self) -> None:
        """Takes back a probe that ended for a reason which says nothing about the destination."""
        if self.state == "half_open":
            self.state = "open"
            self._probing = False

    def _decide(self, now: float, *, ok: bool) -> bool:
        self._probing = False
        if ok:
            self.state = "closed"
            return True
        self._open(now)
        return False

    def _open(self, now: float) -> None:
        self.state = "open"
        self._opened = now
        self._recent.clear()
        self._failed = 0

    def _remember(self, now: float, *, ok: bool) -> None:
        recent = self._recent
        recent.append((now, ok))
        self._failed += not ok
        oldest = now - self._policy.within
        while len(recent) > self._policy.of or recent[0][0] < oldest:
            self._failed -= not recent.popleft()[1]
