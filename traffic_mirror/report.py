"""`python -m traffic_mirror report`: what a results file says, for people, for machines and for a pull
request."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from traffic_mirror.compare.groups import Groups, Way, way_of
from traffic_mirror.compare.latency import Latencies
from traffic_mirror.compare.learning import Baselines, Candidate
from traffic_mirror.compare.model import Difference, Verdict
from traffic_mirror.compare.places import generalise
from traffic_mirror.report_formats import as_junit, as_markdown, as_text
from traffic_mirror.report_input import Line, Reading
from traffic_mirror.report_routes import Routes

_MAX_KEYS = 1000
_BY_DESIGN = "unsafe_method"
"""A baseline gets safe methods only; nobody misses the others."""

_MANY = 2
_MORE_ROUTES = ("", "", "all other routes")


class Summary:
    """All that is known of the results read so far, in bounded memory."""

    def __init__(self) -> None:
        self.lines = 0
        self.reading = Reading()
        self.outcomes: Counter[str] = Counter()
        self.lost: Counter[tuple[str, str, str]] = Counter()
        self.undelivered = 0
        self.verdicts: Counter[str] = Counter({"match": 0, "differ": 0, "incomparable": 0})
        self.destinations: dict[str, Counter[str]] = {}
        self.reasons: Counter[str] = Counter()
        self.aside: Counter[tuple[str, str]] = Counter()
        self._latencies = Latencies()
        self._groups = Groups()
        self._lessons = Baselines()
        self._values: dict[tuple[Way, str, str], Difference] = {}
        self._names = Routes()
        self._apis: dict[str, set[str]] = {}
        self._routes: dict[tuple[str, str, str], Counter[str]] = {}

    @property
    def compared(self) -> int:
        """How many verdicts could be given."""
        return self.verdicts["match"] + self.verdicts["differ"]

    @property
    def share(self) -> float:
        """The share of differing verdicts among those that could be given."""
        return self.verdicts["differ"] / self.compared if self.compared else 0.0

    @property
    def undelivered_share(self) -> float:
        """The share of copies that did not arrive among those that should have."""
        meant = self.outcomes["delivered"] + self.undelivered
        return self.undelivered / meant if meant else 0.0

    @property
    def groups_left_out(self) -> int:
        """How many groups of differences, those seen least, made room for others."""
        return self._groups.evicted

    def add(self, line: Line) -> None:
        """Counts one copy."""
        self.lines += 1
        self.outcomes[line.outcome] += 1
        if line.outcome not in ("delivered", "sampled_out") and line.reason != _BY_DESIGN:
            self.undelivered += 1
            _count(self.lost, (line.destination, line.outcome, line.reason or "unknown"))
        if line.verdict is None:
            return
        api = line.api or ""
        if line.rule in self._apis or len(self._apis) < _MAX_KEYS:
            apis = self._apis.setdefault(line.rule, set())
            if len(apis) < _MANY:
                apis.add(api)
        route = line.route or self._names.take((api, line.rule), line.method, line.url)
        self.verdicts[line.verdict] += 1
        _tally(self._routes, (api, line.rule, route), _MORE_ROUTES)[line.verdict] += 1
        _tally(self.destinations, line.destination, "all other destinations")[line.verdict] += 1
        if line.verdict == "incomparable":
            _count(self.reasons, line.verdict_reason or "unknown")
            return
        self._add_differences(line, route)
        for place in {(generalise(s.place), s.why) for s in line.set_aside or ()}:
            _count(self.aside, place)
        if line.seconds is not None and line.primary_seconds is not None:
            self._latencies.add(line.rule, line.destination, line.primary_seconds, line.seconds, api)

    def routes(self) -> dict[tuple[str, str, str], Counter[str]]:
        """The verdicts by API, rule and route; the API is empty where no other has a rule of that name."""
        routes: dict[tuple[str, str, str], Counter[str]] = {}
        for (api, rule, route), counts in self._routes.items():
            key = (api, rule, route)
            if key != _MORE_ROUTES:
                several = len(self._apis.get(rule, ())) > 1
                key = (api if several else "", rule, self._names.final((api, rule), route))
            routes.setdefault(key, Counter()).update(counts)
        return routes

    def as_data(self, max_differ: float, max_undelivered: float | None = None) -> dict[str, object]:
        """The report as plain data; a share of undelivered copies of None is not looked at."""
        differ_ok = self.compared > 0 and self.share <= max_differ
        delivery_ok = max_undelivered is None or self.undelivered_share <= max_undelivered
        return {
            "lines": self.lines,
            "bad_lines": self.reading.bad,
            "truncated": self.reading.truncated,
            "outcomes": dict(self.outcomes),
            "lost": [
                {"destination": destination, "outcome": outcome, "reason": reason, "count": count}
                for (destination, outcome, reason), count in self.lost.most_common()
            ],
            "verdicts": dict(self.verdicts),
            "destinations": [
                {"destination": name, **{verdict: counts[verdict] for verdict in self.verdicts}}
                for name, counts in self.destinations.items()
            ],
            "incomparable": dict(self.reasons),
            "share": self.share,
            "max_differ": max_differ,
            "differ_ok": differ_ok,
            "undelivered": self.undelivered,
            "undelivered_share": self.undelivered_share,
            "max_undelivered": max_undelivered,
            "delivery_ok": delivery_ok,
            "ok": differ_ok and delivery_ok,
            "differences": self._differences(),
            "groups_left_out": self.groups_left_out,
            "candidates": self._candidates(),
            "set_aside": [
                {"place": place, "why": why, "count": count}
                for (place, why), count in self.aside.most_common()
            ],
            "latency": self._latencies.listing(),
        }

    def _name(self, way: Way) -> Way:
        return way._replace(route=self._names.final((way.api, way.rule), way.route))

    def _add_differences(self, line: Line, route: str) -> None:
        differences = line.differences or ()
        verdict = Verdict(verdict=line.verdict or "match", differences=differences)
        way = Way(line.api or "", line.rule, line.destination, route)
        self._groups.add(way, verdict, line.id, _unix(line.time))
        self._lessons.observe(line.rule, route, verdict, way.api)
        for difference in differences:
            key = (way, generalise(difference.place), difference.kind)
            if key not in self._values and len(self._values) < _MAX_KEYS:
                self._values[key] = difference

    def _candidates(self) -> list[dict[str, object]]:
        """Places that differ ever anew, as `GET /api/noise` has them: likely noise."""
        found: dict[tuple[str, str, str, str], Candidate] = {}
        for candidate in self._lessons.candidates():
            api, rule = candidate.api, candidate.rule
            route = self._names.final((api, rule), candidate.route)
            key = (api, rule, route, candidate.place)
            if key not in found or candidate.count > found[key].count:
                found[key] = msgspec.structs.replace(candidate, route=route)
        return [msgspec.structs.asdict(candidate) for candidate in found.values()]

    def _differences(self) -> list[dict[str, object]]:
        """The groups as `GET /api/differences` has them, each with the values of one of its differences."""
        values: dict[tuple[object, ...], Difference] = {}
        for (way, *place), difference in self._values.items():
            values.setdefault((self._name(way), *place), difference)
        listing = self._groups.renamed(self._name).told_apart()
        for group in listing:
            found = values.get((way_of(group), group["place"], group["kind"]))
            shown = None if found is None else {"primary": found.primary, "copy": found.copy}
            group["values"] = shown
        return listing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `report`."""
    parser.add_argument(
        "results", nargs="+", metavar="RESULTS", help="a JSON Lines file of mirror_results; - is stdin"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print Markdown, for a pull request")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="also write a JUnit file")
    parser.add_argument(
        "--max-differ", metavar="SHARE", type=_share, default=0.0,
        help="the share of differing verdicts to accept, 0 to 1 or 0%% to 100%%; above it the exit code is 1",
    )  # fmt: skip
    parser.add_argument(
        "--max-undelivered", metavar="SHARE", type=_share,
        help="the share of copies not delivered to accept, likewise; if absent it is not looked at",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Reads all results and prints the report: 0, 1 when more differ or did not arrive than accepted or when
    nothing was compared, 2 when a file can't be read or holds no results."""
    summary = Summary()
    try:
        for name in args.results:
            _read_named(name, summary)
        data = summary.as_data(args.max_differ, args.max_undelivered)
        if args.junit is not None:
            args.junit.write_text(as_junit(data, summary.routes()), encoding="utf-8")
    except OSError as error:
        print(f"report: {error.filename or error}: {error.strerror or 'cannot be read'}", file=sys.stderr)  # noqa: T201
        return 2
    for note in _notes(summary):
        print(f"report: {note}", file=sys.stderr)  # noqa: T201
    if args.json:
        print(json.dumps(data, indent=2, ensure_ascii=False))  # noqa: T201
    else:
        print(as_markdown(data) if args.markdown else as_text(data))  # noqa: T201
    if summary.reading.useless:
        return 2
    return 0 if data["ok"] else 1


def _read_named(name: str, summary: Summary) -> None:
    if name == "-":
        summary.reading.read(name, sys.stdin.buffer, summary.add)
    else:
        with Path(name).open("rb") as file:
            summary.reading.read(name, file, summary.add)


def _notes(summary: Summary) -> Iterable[str]:
    yield from summary.reading.notes
    if summary.groups_left_out:
        yield f"{summary.groups_left_out:,} groups of differences, those seen least, found no room"
    if summary.compared or summary.reading.useless:
        return
    if not summary.lines:
        yield "nothing was compared: there are no results (did a rule take any request?)"
    elif summary.verdicts["incomparable"]:
        yield "nothing was compared: every answer was incomparable"
    elif not summary.outcomes["delivered"]:
        yield "nothing was compared: no copy was delivered"
    else:
        yield "nothing was compared: no copy has a verdict (does the spec say `compare: {}`?)"


def _count[K](counts: Counter[K], key: K) -> None:
    """One more of `key`; beyond the bound none that is new."""
    if key in counts or len(counts) < _MAX_KEYS:
        counts[key] += 1


def _tally[K](tallies: dict[K, Counter[str]], key: K, rest: K) -> Counter[str]:
    """The counts of `key`; beyond the bound those of the `rest`."""
    if key not in tallies and len(tallies) >= _MAX_KEYS:
        key = rest
    return tallies.setdefault(key, Counter())


def _unix(time: str | None) -> float:
    try:
        return datetime.fromisoformat(time or "").timestamp()
    except ValueError:
        return 0.0


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; expected 0 to 1, or 0% to 100%")
    return share
