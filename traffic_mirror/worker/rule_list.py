"""The rule list: the rules in force with their counts, filtered, sorted and cut into pages for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from traffic_mirror.ledger import Ledger, Row
from traffic_mirror.masking import Masker
from traffic_mirror.spec.model import Api, Rule, Spec
from traffic_mirror.worker.sums import Sums

PAGE = 50

_NONE = Sums()


class Entry(NamedTuple):
    """One rule; `text` is what a filter looks in."""

    number: int
    api: Api
    rule: Rule
    text: str
    destinations: tuple[str, ...]


Counted = tuple[Entry, Sums]

_SHOW: dict[str, Callable[[Sums], bool]] = {
    "all": lambda _: True,
    "used": lambda sums: sums.selected > 0,
    "unused": lambda sums: sums.selected == 0,
    "differing": lambda sums: sums.verdicts["differ"] > 0,
    "failing": lambda sums: sums.outcomes["failed"] + sums.outcomes["dropped"] > 0,
}

_SORT: dict[str, Callable[[Counted], tuple[object, ...]]] = {
    "order": lambda it: (it[0].number,),
    "name": lambda it: (it[0].api.name, it[0].rule.name),
    "selected": lambda it: (-it[1].selected, it[0].number),
    "differ": lambda it: (-it[1].verdicts["differ"], it[0].number),
    "failed": lambda it: (-it[1].outcomes["failed"] - it[1].outcomes["dropped"], it[0].number),
}


class RuleList:
    """All rules of a spec, in the order in which they are tried."""

    def __init__(self, spec: Spec, masker: Masker) -> None:
        self._masker = masker
        self._entries = [
            _entry(index, api, rule, spec, masker)
            for index, (api, rule) in enumerate((api, rule) for api in spec.apis for rule in api.rules)
        ]

    def at(self, index: int) -> tuple[Api, Rule]:
        """The rule at `index`. Raises ValueError where there is none."""
        if not 0 <= index < len(self._entries):
            raise ValueError(f"index: found {index}, expected a number below {len(self._entries)}")
        entry = self._entries[index]
        return entry.api, entry.rule

    def page(self, arguments: Mapping[str, str], ledger: Ledger) -> dict[str, object]:
        """One page of what `q`, `show` and `sort` ask for, from `offset` on. Raises ValueError."""
        show = _choice(arguments, "show", _SHOW, "all")
        sort = _choice(arguments, "sort", _SORT, "order")
        offset = arguments.get("offset", "0")
        if not offset.isdecimal() or len(offset) > 9:
            raise ValueError(f"offset: found {offset!r}, expected a number")
        words = arguments.get("q", "").lower().split()
        sums = _sums(ledger)
        found = [
            (entry, counted)
            for entry in self._entries
            if all(word in entry.text for word in words)
            and show(counted := sums.get((entry.api.name, entry.rule.name), _NONE))
        ]
        found.sort(key=sort)
        start = int(offset)
        return {
            "total": len(self._entries),
            "found": len(found),
            "offset": start,
            "limit": PAGE,
            "rules": [_shown(*it, self._masker) for it in found[start : start + PAGE]],
        }


def _entry(index: int, api: Api, rule: Rule, spec: Spec, masker: Masker) -> Entry:
    destinations = tuple(spec.destinations[i].name for i in rule.destinations)
    words = (f"{api.name}/{rule.name}", *rule.methods, api.listen_path, rule.path, *destinations, *api.hosts)
    return Entry(index, api, rule, masker.text(" ".join(words)).lower(), destinations)


def _sums(ledger: Ledger) -> dict[tuple[str, str], Sums]:
    sums: dict[tuple[str, str], Sums] = {}
    row: Row
    for row in ledger:
        sums.setdefault((row.key.api, row.key.rule), Sums()).add(row)
    return sums


def _shown(entry: Entry, sums: Sums, masker: Masker) -> dict[str, object]:
    _, api, rule, _, destinations = entry
    return {
        "index": entry.number,
        "api": api.name,
        "rule": rule.name,
        "methods": rule.methods,
        "hosts": masker.value(api.hosts),
        "listen_path": masker.text(api.listen_path),
        "path": masker.text(rule.path),
        "destinations": destinations,
        "disabled": rule.disabled,
        "sample_rate": rule.sample_rate,
        "max_rate": rule.max_rate,
        "wait": rule.wait,
        "selected": sums.selected,
        "outcomes": sums.outcomes,
        "verdicts": sums.verdicts,
    }


def _choice[T](arguments: Mapping[str, str], name: str, choices: Mapping[str, T], default: str) -> T:
    chosen = arguments.get(name, default)
    if chosen not in choices:
        raise ValueError(f"{name}: found {chosen!r}, expected one of {', '.join(choices)}")
    return choices[chosen]
