"""The log's manners: what goes wrong with a destination is said at once, then seldom. Pure."""

from __future__ import annotations

from collections.abc import Callable

_EVERY = 10.0  # seconds
_MOST = 10_000  # keys

Key = tuple[str, str, str]


class Notes:
    """Says per destination, outcome and reason what goes wrong: the first time, then every ten seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: dict[Key, float] = {}
        self._unsaid: dict[Key, int] = {}

    def add(self, destination: str, outcome: str, reason: str, message: str, now: float) -> None:
        """Notes that a copy ended badly at `now`, seconds of a steady clock."""
        key = (destination, outcome, reason)
        if now - self._said.get(key, -_EVERY) < _EVERY:
            self._unsaid[key] = self._unsaid.get(key, 0) + 1
            return
        if len(self._said) > _MOST:  # of destinations that are long gone
            self._said.clear()
            self._unsaid.clear()
        self._said[key] = now
        more = self._unsaid.pop(key, 0)
        detail = f" ({message})" if message else ""
        since = f", {more} more since this was last said" if more else ""
        self._say(f"destination {destination}: a copy {outcome}: {reason}{detail}{since}")
