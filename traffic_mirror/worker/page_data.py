"""The page's data: what its views ask for, as plain values; bounded, whatever the spec's size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from time import time

import msgspec

from traffic_mirror.compare import Histogram
from traffic_mirror.compare.groups import way_of
from traffic_mirror.ledger import Ledger, Row
from traffic_mirror.masking import Masker
from traffic_mirror.spec.model import Destination, Spec
from traffic_mirror.wire.frames import Setup
from traffic_mirror.worker.health import TROUBLED, Health, health_of, urgency
from traffic_mirror.worker.history import FIELDS, Recent
from traffic_mirror.worker.outline import (
    outline_api,
    outline_destination,
    outline_markers,
    outline_rule,
)
from traffic_mirror.worker.rule_list import RuleList
from traffic_mirror.worker.sums import Sums
from traffic_mirror.worker.view import Load, View

Arguments = Mapping[str, str]

_DESTINATIONS = 48
_GROUPS = 300
_TOP = 5
_BOUNDS = tuple(0.0001 * 1.25**step for step in range(64))  # of the plotted durations; up to two minutes
_LISTED = 200  # APIs and destinations of the spec's view


class PageData:
    """Answers the page's questions from `view`; `set_up` takes each spec that comes in force."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._began = time()
        self._spec = Spec()
        self._results = ""
        self._masker = Masker()
        self._rules: RuleList | None = None
        self._questions: dict[str, Callable[[Arguments], object]] = {
            "overview": self._overview,
            "rules": self._rule_page,
            "rule": self._rule,
            "differences": self._differences,
            "spec": self._spec_outline,
        }

    def set_up(self, setup: Setup) -> None:
        """Takes the spec in force."""
        self._spec = setup.spec
        self._results = setup.results or self._results
        self._masker = Masker(setup.spec.secrets)
        self._rules = None

    def tick(self, now: float) -> None:
        """Ends a second of the history; `now` is in seconds of a steady clock."""
        accounts = self._view.accounts
        accounts.samples.tick()
        accounts.history.sample(now, accounts.elsewhere(), *self._view.under_way())

    def answer(self, question: str, arguments: Arguments) -> object:
        """What a view asks for. Raises KeyError for what is no question, ValueError for a bad argument."""
        return self._questions[question](arguments)

    def _overview(self, arguments: Arguments) -> object:
        view, state, history = self._view, self._view.state, self._view.accounts.history
        whole = view.ledger()
        outcomes = whole.outcomes()
        groups = view.accounts.groups.told_apart()
        loads = view.loads()
        wanted = arguments.get("destinations", "").lower()
        found = [load for load in loads if wanted in load.destination.lower()]
        return {
            "now": time(),
            "started": view.started,
            "worker_started": self._began,
            "restarts": view.restarts,
            "version": _version(),
            "results": self._results,
            "paused": view.accounts.paused,
            "spec": {**msgspec.structs.asdict(state), **_sizes(self._spec)},
            "selected": whole.selected,
            "in_flight": whole.in_flight,
            "outcomes": outcomes,
            "verdicts": whole.verdicts(),
            "incomparable": view.accounts.incomparable,
            "reasons": _reasons(whole),
            "destinations": self._destinations(found, whole),
            "destinations_total": len(found),
            "troubled": sum(self._health(load) in TROUBLED for load in loads),
            "bounds": _BOUNDS,
            "fields": FIELDS,
            "fine": history.fine.since(_number(arguments, "fine")),
            "coarse": history.coarse.since(_number(arguments, "coarse")),
            "failures": list(reversed(view.accounts.failures)),
            "failures_total": outcomes["failed"] + outcomes["dropped"],
            "differing": [_keyed(group) for group in groups[:_TOP]],
            "differing_total": len(groups),
        }

    def _destinations(self, loads: list[Load], whole: Ledger) -> list[dict[str, object]]:
        sums: dict[str, Sums] = {}
        for row in whole:
            sums.setdefault(row.key.destination, Sums()).add(row)
        none = Sums()
        health = {load.destination: self._health(load) for load in loads}
        loads.sort(
            key=lambda load: (
                urgency(health[load.destination]),
                -sums.get(load.destination, none).selected,
            )
        )
        known = {destination.name: destination for destination in self._spec.destinations}
        recent = self._view.accounts.history.recent
        return [
            _destination(
                load,
                health[load.destination],
                known.get(load.destination),
                sums.get(load.destination, none),
                recent.get(load.destination) or Recent(),
                self._masker,
            )
            for load in loads[:_DESTINATIONS]
        ]

    def _health(self, load: Load) -> Health:
        recent = self._view.accounts.history.recent.get(load.destination)
        return health_of(load.breaker, [*recent.steps, (recent.good, recent.bad)] if recent else ())

    def _rule_page(self, arguments: Arguments) -> object:
        return self._listed_rules().page(arguments, self._view.ledger())

    def _rule(self, arguments: Arguments) -> object:
        index = _number(arguments, "index")
        listed = self._listed_rules()
        api, rule = listed.at(index)
        return {
            "index": index,
            "definition": outline_rule(self._spec, rule, self._masker),
            "api": outline_api(api, self._masker),
            "copies": [
                {
                    "destination": row.key.destination,
                    "in_flight": row.in_flight,
                    "outcomes": _by_outcome(row),
                    "verdicts": row.verdicts,
                }
                for row in self._view.ledger()
                if row.key.api == api.name and row.key.rule == rule.name
            ],
        }

    def _differences(self, arguments: Arguments) -> object:
        words = arguments.get("q", "").lower().split()
        groups = [_keyed(group) for group in self._view.accounts.groups.told_apart()]
        found = [group for group in groups if all(word in _text(group) for word in words)]
        samples = self._view.accounts.samples
        return {
            "total": len(groups),
            "found": len(found),
            "evicted": self._view.accounts.groups.evicted,
            **self._view.noise(),
            "groups": [
                {
                    **group,
                    "samples": samples.of((way_of(group), str(group["place"]), str(group["kind"]))),
                }
                for group in found[:_GROUPS]
            ],
        }

    def _spec_outline(self, _: Arguments) -> object:
        spec = self._spec
        return {
            "markers": outline_markers(spec),
            "apis": [outline_api(api, self._masker) for api in spec.apis[:_LISTED]],
            "destinations": [
                outline_destination(destination, self._masker) for destination in spec.destinations[:_LISTED]
            ],
            "totals": _sizes(spec),
        }

    def _listed_rules(self) -> RuleList:
        if self._rules is None:
            self._rules = RuleList(self._spec, self._masker)
        return self._rules


def _sizes(spec: Spec) -> dict[str, int]:
    return {
        "apis": len(spec.apis),
        "rules": sum(len(api.rules) for api in spec.apis),
        "destinations": len(spec.destinations),
    }


def _reasons(whole: Ledger) -> list[tuple[str, str, int]]:
    counts: dict[tuple[str, str], int] = {}
    for key, count in chain.from_iterable(row.ended.items() for row in whole):
        counts[key] = counts.get(key, 0) + count
    return [(outcome, reason, count) for (outcome, reason), count in counts.items()]


def _destination(
    load: Load, health: Health, destination: Destination | None, sums: Sums, recent: Recent, masker: Masker
) -> dict[str, object]:
    """A destination's card; `destination` is None for one that a reload took away."""
    return {
        **msgspec.structs.asdict(load),
        "health": health,
        "url": masker.text(destination.url + destination.base_path) if destination else "",
        "max_in_flight": destination.max_in_flight if destination else load.in_flight,
        "queue_limit": destination.queue.copies if destination else 0,
        "queue_bytes_limit": destination.queue.bytes if destination else 0,
        "outcomes": sums.outcomes,
        "verdicts": sums.verdicts,
        "copy": _quantiles(recent.latency.copy),
        "primary": _quantiles(recent.latency.primary),
        "recent": list(recent.steps),
    }


def _quantiles(histogram: Histogram) -> dict[str, object]:
    return {"count": histogram.count, "histogram": histogram.spread(_BOUNDS), **histogram.quantiles()}


def _by_outcome(row: Row) -> dict[str, dict[str, int]]:
    outcomes: dict[str, dict[str, int]] = {}
    for (outcome, reason), count in row.ended.items():
        outcomes.setdefault(outcome, {})[reason] = count
    return outcomes


def _keyed(group: Mapping[str, object]) -> dict[str, object]:
    """A group with one value that names it."""
    return {
        **group,
        "key": " ".join(
            str(group[name]) for name in ("api", "rule", "destination", "kind", "place", "route")
        ),
    }


def _text(group: Mapping[str, object]) -> str:
    return str(group["key"]).lower()


def _number(arguments: Arguments, name: str) -> int:
    text = arguments.get(name, "0")
    if not text.isdecimal() or len(text) > 12:
        raise ValueError(f"{name}: found {text!r}, expected a number")
    return int(text)


def _version() -> str:
    try:
        return version("traffic-mirror")
    except PackageNotFoundError:  # a checkout that is not installed
        return "from a checkout"
