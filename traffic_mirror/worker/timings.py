"""Timings: brings each copy's duration together with its primary's, whichever is known first."""

from __future__ import annotations

from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.errand import Route

MAX_WAITING = 8192


class _Wait:
    """What is known of one request: copies delivered before the primary answered, copies not ended yet."""

    __slots__ = ("copies", "open", "primary", "routes")

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self.open = len(routes)
        self.primary: float | None = None
        self.copies: list[tuple[Route, float]] = []


class Timings:
    """Pairs durations by flow, for the newest so many; what never meets is not compared."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._waiting: dict[str, _Wait] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def expect(self, flow: str, routes: list[Route]) -> None:
        """Copies of a request are on their way."""
        self._waiting[flow] = _Wait(routes)
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def answered(self, flow: str, seconds: float) -> None:
        """The primary has answered."""
        wait = self._waiting.get(flow)
        if wait is None or wait.primary is not None:
            return
        wait.primary = seconds
        for route in wait.routes:
            self._accounts.history.answered(route.destination, seconds)
        for route, copy in wait.copies:
            self._pair(route, seconds, copy)
        if not wait.open:
            del self._waiting[flow]

    def ended(self, flow: str, route: Route, seconds: float | None) -> None:
        """A copy has ended; after `seconds`, if it was delivered."""
        wait = self._waiting.get(flow)
        if wait is None:
            return
        wait.open -= 1
        if seconds is not None:
            if wait.primary is None:
                wait.copies.append((route, seconds))
            else:
                self._pair(route, wait.primary, seconds)
        if not wait.open and wait.primary is not None:
            del self._waiting[flow]

    def _pair(self, route: Route, primary: float, copy: float) -> None:
        self._accounts.latencies.add(route.rule, route.destination, primary, copy, route.api)
