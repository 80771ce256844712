"""`python -m traffic_mirror report`: what a results file says, for people, for machines and for a pull
request."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import msgspec

from traffic_mirror.compare.groups import Groups
from traffic_mirror.compare.latency import Latencies
from traffic_mirror.compare.model import Difference, SetAside, Verdict, VerdictName
from traffic_mirror.compare.places import generalise
from traffic_mirror.report_formats import as_junit, as_markdown, as_text

MAX_LINE = 8 * 1024 * 1024
_MAX_KEYS = 1000
_ID = re.compile(r"(?=.*\d)(?:\d+|[0-9a-fA-F-]{8,}|[A-Za-z0-9_-]{16,})|.{40,}")


class Line(msgspec.Struct, frozen=True):
    """What the report reads of one line of results; other keys are left alone."""

    id: str
    rule: str
    outcome: str
    time: str | None = None
    api: str | None = None
    destination: str = ""
    method: str = ""
    url: str = ""
    reason: str | None = None
    seconds: float | None = None
    primary_seconds: float | None = None
    verdict: VerdictName | None = None
    verdict_reason: str | None = None
    differences: tuple[Difference, ...] | None = None
    set_aside: tuple[SetAside, ...] | None = None


class Summary:
    """All that is known of the results read so far, in bounded memory."""

    def __init__(self) -> None:
        self.lines = 0
        self.bad: list[str] = []
        self.bad_count = 0
        self.truncated: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.lost: Counter[tuple[str, str, str]] = Counter()
        self.verdicts: Counter[str] = Counter({"match": 0, "differ": 0, "incomparable": 0})
        self.reasons: Counter[str] = Counter()
        self.routes: dict[tuple[str, str], Counter[str]] = {}
        self.aside: Counter[tuple[str, str]] = Counter()
        self.groups = Groups()
        self.latencies = Latencies()

    @property
    def compared(self) -> int:
        """How many verdicts could be given."""
        return self.verdicts["match"] + self.verdicts["differ"]

    @property
    def share(self) -> float:
        """The share of differing verdicts among those that could be given."""
        return self.verdicts["differ"] / self.compared if self.compared else 0.0

    def add(self, line: Line) -> None:
        """Counts one copy."""
        self.lines += 1
        self.outcomes[line.outcome] += 1
        if line.outcome not in ("delivered", "sampled_out"):
            _count(self.lost, (line.destination, line.outcome, line.reason or "unknown"))
        if line.verdict is None:
            return
        route = route_of(line)
        self.verdicts[line.verdict] += 1
        if (line.rule, route) in self.routes or len(self.routes) < _MAX_KEYS:
            self.routes.setdefault((line.rule, route), Counter())[line.verdict] += 1
        if line.verdict == "incomparable":
            self.reasons[line.verdict_reason or "unknown"] += 1
            return
        verdict = Verdict(verdict=line.verdict, differences=line.differences or ())
        self.groups.add(line.rule, route, verdict, line.id, _unix(line.time))
        for place in {(generalise(s.place), s.why) for s in line.set_aside or ()}:
            _count(self.aside, place)
        if line.seconds is not None and line.primary_seconds is not None:
            self.latencies.add(line.rule, line.destination, line.primary_seconds, line.seconds)

    def skip(self, where: str, why: str) -> None:
        """Notes a line that is no result."""
        self.bad_count += 1
        if len(self.bad) < 10:
            self.bad.append(f"{where}: {why}")

    def as_data(self, max_differ: float) -> dict[str, object]:
        """The report as plain data."""
        return {
            "lines": self.lines,
            "bad_lines": self.bad_count,
            "truncated": bool(self.truncated),
            "outcomes": dict(self.outcomes),
            "lost": [
                {"destination": destination, "outcome": outcome, "reason": reason, "count": count}
                for (destination, outcome, reason), count in self.lost.most_common()
            ],
            "verdicts": dict(self.verdicts),
            "incomparable": dict(self.reasons),
            "share": self.share,
            "max_differ": max_differ,
            "ok": self.compared > 0 and self.share <= max_differ,
            "differences": self.groups.listing(),
            "set_aside": [
                {"place": place, "why": why, "count": count}
                for (place, why), count in self.aside.most_common()
            ],
            "latency": self.latencies.listing(),
        }


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


def run(args: argparse.Namespace) -> int:
    """Reads all results and prints the report: 0, 1 when more differ than accepted or nothing was compared,
    2 when a file can't be read."""
    summary = Summary()
    try:
        for name in args.results:
            _read_named(name, summary)
        if args.junit is not None:
            args.junit.write_text(
                as_junit(summary.as_data(args.max_differ), summary.routes), encoding="utf-8"
            )
    except OSError as error:
        print(f"report: {error.filename or error}: {error.strerror or 'cannot be read'}", file=sys.stderr)  # noqa: T201
        return 2
    for note in _notes(summary):
        print(f"report: {note}", file=sys.stderr)  # noqa: T201
    data = summary.as_data(args.max_differ)
    if args.json:
        print(json.dumps(data, indent=2, ensure_ascii=False))  # noqa: T201
    else:
        print(as_markdown(data) if args.markdown else as_text(data))  # noqa: T201
    return 0 if data["ok"] else 1


def _read_named(name: str, summary: Summary) -> None:
    if name == "-":
        read(name, sys.stdin.buffer, summary)
    else:
        with Path(name).open("rb") as file:
            read(name, file, summary)


def read(name: str, file: BinaryIO, summary: Summary) -> None:
    """Adds every line of a results file; one that was cut off at the end is noted, not an error."""
    decode = msgspec.json.Decoder(Line).decode
    for number, raw in enumerate(_lines(file), 1):
        if not raw.strip():
            continue
        where = f"{name}:{number}"
        try:
            summary.add(decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if raw.endswith(b"\n"):
                summary.skip(where, str(error))
            else:
                summary.truncated.append(where)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; one over the bound is read past and given up as it began, so that it is no
    result."""
    while line := file.readline(MAX_LINE):
        if not line.endswith(b"\n") and len(line) == MAX_LINE:
            while (more := file.readline(MAX_LINE)) and not more.endswith(b"\n"):
                pass
            line = line[:100] + b"\n"
        yield line


def _notes(summary: Summary) -> Iterable[str]:
    for where in summary.truncated:
        yield f"{where}: the last line is cut off and was left out"
    yield from summary.bad
    if summary.bad_count > len(summary.bad):
        yield f"{summary.bad_count - len(summary.bad)} more lines are no results"
    if not summary.compared:
        yield "nothing was compared: no verdict is match or differ (does the spec say `compare: {}`?)"


def _count[K](counts: Counter[K], key: K) -> None:
    """One more of `key`; beyond the bound none that is new."""
    if key in counts or len(counts) < _MAX_KEYS:
        counts[key] += 1


def route_of(line: Line) -> str:
    """The method and path of a result, with what looks like an id left open: `GET /users/{}`."""
    try:
        path = urlsplit(line.url).path
    except ValueError:
        path = line.url.partition("?")[0]
    parts = ("{}" if _ID.fullmatch(part) else part for part in (path or "/").split("/"))
    return f"{line.method} {'/'.join(parts)}"


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
