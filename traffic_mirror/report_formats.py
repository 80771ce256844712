"""The report's forms: text for a terminal, Markdown for a pull request, JUnit for a CI server."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import cast
from xml.etree import ElementTree as ET

from traffic_mirror.compare.groups import group_line

Data = Mapping[str, object]
Rows = Sequence[Mapping[str, object]]

MAX_GROUPS = 50
MAX_ROWS = 20
"""Of everything but groups; Markdown stays below the 64 KiB that a comment on GitHub may have."""

_MAX_NAME = 200
_MAX_VALUE = 60
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What would move a terminal's cursor, break a line or turn the writing's direction."""


def as_text(data: Data) -> str:
    """The report for a terminal."""
    groups = [line for group in _rows(data, "differences")[:MAX_GROUPS] for line in _group_lines(group)]
    parts = [
        _headline(data),
        *_by_destination(data),
        _outcomes(data),
        *_incomparable(data),
        *_section(
            "Not delivered", data, "lost", [f"{_lost(r)} ({r['count']:,})" for r in _rows(data, "lost")]
        ),
        *_section("Differences", data, "differences", groups, MAX_GROUPS),
        *_section(
            "Likely noise (ever-new values; `ignore` it in a compare: if it is)",
            data,
            "candidates",
            map(_candidate, _rows(data, "candidates")),
        ),
        *_section("Set aside as noise", data, "set_aside", map(_aside, _rows(data, "set_aside"))),
        *_section("Times", data, "latency", (str(row["sentence"]) for row in _rows(data, "latency"))),
    ]
    return "\n".join(_seen(part, _MAX_NAME * 3) for part in parts)


def as_markdown(data: Data) -> str:
    """The report for a pull request."""
    parts = [f"### {'✅' if data['ok'] else '❌'} Traffic mirror: {_headline(data)}", ""]
    parts += ["; ".join([*_by_destination(data), _outcomes(data), *_incomparable(data)]), ""]
    groups = _rows(data, "differences")
    if groups:
        parts += ["| route | place | kind | seen | primary | copy | flows |", "|---|---|---|---|---|---|---|"]
        parts += [_table_row(group) for group in groups[:MAX_GROUPS]]
        parts += ["", *_more(groups, MAX_GROUPS)]
    candidates = _rows(data, "candidates")
    if candidates:
        shown = (_cell(_candidate(row)) for row in candidates[:MAX_ROWS])
        parts += [f"Likely noise (ever-new values): {', '.join(shown)}", *_more(candidates, MAX_ROWS), ""]
    lost = _rows(data, "lost")
    if lost:
        said = (f"{row['count']:,} {_escaped(_lost(row))}" for row in lost[:MAX_ROWS])
        parts += [f"Not delivered: {', '.join(said)}", *_more(lost, MAX_ROWS), ""]
    latency = _rows(data, "latency")
    if latency:
        parts += [*(f"- {_escaped(str(row['sentence']))}" for row in latency[:MAX_ROWS]), ""]
        parts += _more(latency, MAX_ROWS)
    aside = _rows(data, "set_aside")
    if aside:
        parts += ["<details><summary>Set aside as noise</summary>", ""]
        parts += [
            f"- {_cell(r['place'])} {_escaped(str(r['why']))} ({r['count']:,})" for r in aside[:MAX_ROWS]
        ]
        parts += ["", *_more(aside, MAX_ROWS), "</details>"]
    return "\n".join(parts)


def as_junit(data: Data, routes: Mapping[tuple[str, str, str], Counter[str]]) -> str:
    """The report as JUnit XML: a test case for each rule and route; failures only where the report fails.

    Another says whether anything was compared where nothing was, and one whether copies arrived where that
    is asked for.
    """
    limit, ok = cast("float", data["max_differ"]), bool(data["differ_ok"])
    suite = ET.Element("testsuite", name="traffic-mirror")
    for (api, rule, route), counts in routes.items():
        named = f"{api} / {rule}" if api else rule
        case = ET.SubElement(suite, "testcase", classname=_xml(named) or "traffic-mirror", name=_xml(route))
        compared = counts["match"] + counts["differ"]
        said = f"{counts['differ']:,} of {compared:,} differ"
        lines = _xml("\n".join(_lines_of(data, api, rule, route)))
        if not compared:
            ET.SubElement(case, "skipped", message=f"{counts['incomparable']:,} incomparable")
        elif not ok and counts["differ"] / compared > limit:
            ET.SubElement(case, "failure", message=said).text = lines
        elif counts["differ"]:
            ET.SubElement(case, "system-out").text = f"{said}, which is accepted\n{lines}"
    if not _compared(data):
        case = ET.SubElement(suite, "testcase", classname="traffic-mirror", name="anything was compared")
        ET.SubElement(case, "failure", message="nothing was compared").text = _xml(_outcomes(data))
    if data["max_undelivered"] is not None:
        case = ET.SubElement(suite, "testcase", classname="traffic-mirror", name="copies were delivered")
        if not data["delivery_ok"]:
            lines = _xml("\n".join(f"{_lost(row)} ({row['count']:,})" for row in _rows(data, "lost")))
            ET.SubElement(case, "failure", message=_undelivered(data)).text = lines
    counted = {"tests": "testcase", "failures": "testcase/failure", "skipped": "testcase/skipped"}
    for name, path in counted.items():
        suite.set(name, str(len(suite.findall(path))))
    suite.set("errors", "0")
    root = ET.Element("testsuites")
    root.append(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _headline(data: Data) -> str:
    verdicts, compared = cast("dict[str, int]", data["verdicts"]), _compared(data)
    if not compared:
        return (
            "nothing was compared" if data["delivery_ok"] else f"nothing was compared; {_undelivered(data)}"
        )
    accepted = cast("float", data["max_differ"])
    said = f"{verdicts['differ']:,} of {compared:,} answers differ ({cast('float', data['share']):.2%})"
    said += f", {accepted:.2%} accepted" if accepted else ""
    beside = [_undelivered(data)] if data["undelivered"] else []
    beside += [f"{verdicts['incomparable']:,} incomparable"] if verdicts["incomparable"] else []
    left = ", ".join(beside)
    return f"{said}; {left}" if left else said


def _undelivered(data: Data) -> str:
    """How many copies did not arrive; with their share where there is a limit to it."""
    said, limit = f"{data['undelivered']:,} not delivered", cast("float | None", data["max_undelivered"])
    if limit is None:
        return said
    return f"{said} ({cast('float', data['undelivered_share']):.2%}; {limit:.2%} accepted)"


def _compared(data: Data) -> int:
    verdicts = cast("dict[str, int]", data["verdicts"])
    return verdicts["match"] + verdicts["differ"]


def _by_destination(data: Data) -> list[str]:
    """A line for each destination, where there are several."""
    rows = [
        (row, cast("int", row["differ"]), cast("int", row["match"])) for row in _rows(data, "destinations")
    ]
    if len(rows) < 2:
        return []
    shown = [f"{row['destination']}: {differ:,} of {differ + match:,} differ" for row, differ, match in rows]
    return [*shown[:MAX_ROWS], *(part.strip() for part in _more(rows, MAX_ROWS))]


def _outcomes(data: Data) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in _counts(data, "outcomes")) or "no copies"


def _incomparable(data: Data) -> list[str]:
    reasons = [f"{n:,} {reason}" for reason, n in _counts(data, "incomparable")]
    return ["incomparable: " + ", ".join(reasons[:MAX_ROWS])] if reasons else []


def _section(title: str, data: Data, name: str, lines: Iterable[str], limit: int = MAX_ROWS) -> list[str]:
    """A title and its lines, where there are any; `lines` of groups are bounded already."""
    rows = _rows(data, name)
    if not rows:
        return []
    shown = list(lines) if name == "differences" else list(lines)[:limit]
    return ["", title, *(f"  {line}" for line in shown), *_more(rows, limit)]


def _group_lines(group: Mapping[str, object]) -> list[str]:
    """A group, and one of the pairs of values that were found there."""
    values = _values(group)
    line = group_line({**group, "route": _short(group["route"]), "place": _short(group["place"])})
    return [line] if values is None else [line, f"    {' → '.join(values)}"]


def _table_row(group: Mapping[str, object]) -> str:
    primary, copy = _values(group) or ("", "")
    flows = ", ".join(cast("list[str]", group["examples"]))
    apart = ", ".join(str(group[key]) for key in cast("list[str]", group["apart"]))
    whose = f" {_escaped(apart)}" if apart else ""
    named = f"| {_cell(group['route'])}{whose} | {_cell(group['place'])} | {group['kind']} "
    seen = f"| {group['count']:,} of {group['of']:,} "
    return f"{named}{seen}| {_cell(primary)} | {_cell(copy)} | {_cell(flows)} |"


def _values(group: Mapping[str, object]) -> tuple[str, str] | None:
    """What the primary and the copy had at one of a group's places, as JSON; None where it is not known."""
    values = cast("Mapping[str, object] | None", group.get("values"))
    if values is None:
        return None
    kind = group["kind"]
    primary = "nothing" if kind == "added" else _short(_json(values["primary"]), _MAX_VALUE)
    copy = "nothing" if kind == "removed" else _short(_json(values["copy"]), _MAX_VALUE)
    return primary, copy


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _counts(data: Data, name: str) -> list[tuple[str, int]]:
    return sorted(cast("dict[str, int]", data[name]).items(), key=lambda item: -item[1])


def _rows(data: Data, name: str) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", data[name])


def _more(rows: Sequence[object], shown: int) -> list[str]:
    return [f"  … and {len(rows) - shown:,} more"] if len(rows) > shown else []


def _lines_of(data: Data, api: str, rule: str, route: str) -> list[str]:
    found = [
        group
        for group in _rows(data, "differences")
        if (group["rule"], group["route"]) == (rule, route) and api in ("", group["api"])
    ]
    return [line for group in found[:MAX_GROUPS] for line in _group_lines(group)]


def _lost(row: Mapping[str, object]) -> str:
    return f"{row['destination']} {row['outcome']}: {row['reason']}"


def _candidate(row: Mapping[str, object]) -> str:
    return f"{_short(row['route'])} → {_short(row['place'])} ({row['count']:,} of {row['of']:,})"


def _aside(row: Mapping[str, object]) -> str:
    return f"{_short(row['place'])} {row['why']} ({row['count']:,})"


def _short(value: object, limit: int = _MAX_NAME) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _seen(text: object, limit: int) -> str:
    """A line of bounded length in which every character can be seen."""
    return _short(_UNSEEN.sub("�", str(text)), limit)


def _cell(value: object) -> str:
    """Code in a table's cell or a list; nothing in it is Markdown."""
    shown = _seen(value, _MAX_NAME).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`" if shown else ""


def _escaped(text: str) -> str:
    """Text between Markdown in which nothing is Markdown, HTML, a mention or a link to an issue."""
    return re.sub(r"([\\`*{}\[\]<>#|~@])", r"\\\1", _seen(text, _MAX_NAME * 2))


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)
