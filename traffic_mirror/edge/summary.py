"""The ledger and the spec in words, for the log and `mirror.status`."""

from __future__ import annotations

from traffic_mirror.ledger import Ledger, Row
from traffic_mirror.spec.model import Spec


def summary_line(ledger: Ledger) -> str:
    """One line with the whole sum: `12 selected = 10 delivered + 1 failed + … `."""
    parts = [f"{count} {outcome}" for outcome, count in ledger.outcomes().items()]
    if ledger.in_flight:
        parts.append(f"{ledger.in_flight} in flight")
    return f"{ledger.selected} selected = {' + '.join(parts)}"


def row_line(row: Row) -> str:
    """One row: `users/read-user → shadow: 12 selected: delivered 2xx 10, failed timeout 2`."""
    ends = [f"{outcome} {reason} {count}" for (outcome, reason), count in sorted(row.ended.items())]
    if row.in_flight:
        ends.append(f"in flight {row.in_flight}")
    verdicts = [f"{verdict} {count}" for verdict, count in sorted(row.verdicts.items())]
    key = row.key
    text = f"{key.api} / {key.rule} → {key.destination}: {row.selected} selected: {', '.join(ends)}"
    return f"{text}; verdicts: {', '.join(verdicts)}" if verdicts else text


def size_words(spec: Spec) -> str:
    """How much there is in a spec: `1 API, 4 rules, 2 destinations`."""
    counts = (
        (len(spec.apis), "API"),
        (sum(len(api.rules) for api in spec.apis), "rule"),
        (len(spec.destinations), "destination"),
    )
    return ", ".join(counted(count, word) for count, word in counts)


def counted(count: int, word: str, plural: str = "") -> str:
    """A number and its noun: `1 rule`, `2 rules`, `3 copies`."""
    return f"{count} {word if count == 1 else plural or word + 's'}"
