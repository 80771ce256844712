"""How copies may end, as far as a worker's word is taken for it: known outcomes, few and short reasons."""

from __future__ import annotations

from traffic_mirror.ledger import OUTCOMES
from traffic_mirror.wire.codec import WireError

MAX_REASONS = 200  # of all outcomes together: each is a label in the metrics
MAX_LENGTH = 40


class KnownEndings:
    """The pairs of outcome and reason that were seen; the first time each is looked at, then remembered."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def check(self, outcome: str, reason: str) -> tuple[str, str]:
        """The pair, if it is one. Raises WireError for what no worker of ours says."""
        pair = (outcome, reason)
        if pair not in self._known:
            well_formed = outcome in OUTCOMES and reason.isascii() and reason.replace("_", "a").isalnum()
            if not well_formed or len(reason) > MAX_LENGTH or len(self._known) >= MAX_REASONS:
                raise WireError(f"found the ending {outcome[:MAX_LENGTH]!r}, {reason[:MAX_LENGTH]!r}")
            self._known.add(pair)
        return pair
