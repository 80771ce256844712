"""The report's forms: text for a terminal, Markdown for a pull request, JUnit for a CI server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import cast
from xml.etree import ElementTree as ET

from traffic_mirror.compare.groups import group_line

Data = Mapping[str, object]

MAX_GROUPS = 50
MAX_ASIDE = 20
MAX_LOST = 20
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_text(data: Data) -> str:
    """The report for a terminal."""
    parts = [
        _headline(data),
        ", ".join(f"{n:,} {name}" for name, n in _counts(data, "outcomes")) or "no copies",
    ]
    incomparable = _counts(data, "incomparable")
    if incomparable:
        parts.append("incomparable: " + ", ".join(f"{n:,} {reason}" for reason, n in incomparable))
    lost = _rows(data, "lost")
    if lost:
        parts += [
            "",
            "Not delivered",
            *(f"  {_lost(row)} ({row['count']:,})" for row in lost[:MAX_LOST]),
            *_more(lost, MAX_LOST),
        ]
    groups = _rows(data, "differences")
    if groups:
        parts += [
            "",
            "Differences",
            *(f"  {group_line(group)}" for group in groups[:MAX_GROUPS]),
            *_more(groups, MAX_GROUPS),
        ]
    aside = _rows(data, "set_aside")
    if aside:
        lines = (f"  {row['place']} {row['why']} ({row['count']:,})" for row in aside[:MAX_ASIDE])
        parts += ["", "Set aside as noise", *lines, *_more(aside, MAX_ASIDE)]
    latency = _rows(data, "latency")
    if latency:
        parts += ["", "Times", *(f"  {row['sentence']}" for row in latency)]
    return "\n".join(parts)


def as_markdown(data: Data) -> str:
    """The report for a pull request."""
    parts = [f"### {'✅' if data['ok'] else '❌'} Traffic mirror: {_headline(data)}", ""]
    groups = _rows(data, "differences")
    if groups:
        parts += ["| route | place | kind | seen | example |", "|---|---|---|---|---|"]
        parts += [
            f"| {_cell(g['route'])} | {_cell(g['place'])} | {g['kind']} | {g['count']:,} of {g['of']:,} "
            f"| {_cell(', '.join(cast('list[str]', g['examples'])))} |"
            for g in groups[:MAX_GROUPS]
        ]
        parts += ["", *_more(groups, MAX_GROUPS)]
    lost = _rows(data, "lost")
    if lost:
        said = (f"{row['count']:,} {_lost(row)}" for row in lost[:MAX_LOST])
        parts += [f"Not delivered: {', '.join(said)}", *_more(lost, MAX_LOST), ""]
    latency = _rows(data, "latency")
    if latency:
        parts += ["", *(f"- {row['sentence']}" for row in latency)]
    return "\n".join(parts)


def as_junit(data: Data, routes: Mapping[tuple[str, str], Counter[str]]) -> str:
    """The report as JUnit XML: a test case for each rule and route."""
    limit = cast("float", data["max_differ"])
    suite = ET.Element("testsuite", name="traffic-mirror")
    failures = skipped = 0
    for (rule, route), counts in routes.items():
        case = ET.SubElement(suite, "testcase", classname=_xml(rule), name=_xml(route))
        compared = counts["match"] + counts["differ"]
        if not compared:
            skipped += 1
            ET.SubElement(case, "skipped", message=f"{counts['incomparable']} incomparable")
        elif counts["differ"] / compared > limit:
            failures += 1
            failure = ET.SubElement(case, "failure", message=f"{counts['differ']:,} of {compared:,} differ")
            failure.text = _xml("\n".join(_lines_of(data, rule, route)))
    suite.set("tests", str(len(routes)))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    root = ET.Element("testsuites")
    root.append(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _headline(data: Data) -> str:
    verdicts = cast("dict[str, int]", data["verdicts"])
    compared = verdicts["match"] + verdicts["differ"]
    if not compared:
        return "nothing was compared"
    accepted = cast("float", data["max_differ"])
    said = f"{verdicts['differ']:,} of {compared:,} answers differ ({cast('float', data['share']):.2%})"
    return f"{said}, {accepted:.2%} accepted" if accepted else said


def _counts(data: Data, name: str) -> list[tuple[str, int]]:
    return sorted(cast("dict[str, int]", data[name]).items(), key=lambda item: -item[1])


def _rows(data: Data, name: str) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", data[name])


def _more(rows: list[dict[str, object]], shown: int) -> list[str]:
    return [f"  … and {len(rows) - shown:,} more"] if len(rows) > shown else []


def _lines_of(data: Data, rule: str, route: str) -> list[str]:
    return [group_line(g) for g in _rows(data, "differences") if (g["rule"], g["route"]) == (rule, route)]


def _lost(row: Mapping[str, object]) -> str:
    return f"{row['destination']} {row['outcome']}: {row['reason']}"


def _cell(value: object) -> str:
    return "`" + str(value).replace("`", "'").replace("|", "\\|").replace("\n", " ") + "`" if value else ""


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)
