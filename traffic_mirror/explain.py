"""The command `explain`: which rule takes a request, why the others do not, and what its copies look like."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict

from traffic_mirror.check import check_filter
from traffic_mirror.copies import compile_plan
from traffic_mirror.copies.asked import read_request
from traffic_mirror.copies.headers import has_field, is_websocket_upgrade
from traffic_mirror.copies.markers import marker_names
from traffic_mirror.copies.request import Fields, FrozenRequest
from traffic_mirror.masking import MASK, SENSITIVE_HEADERS, Masker
from traffic_mirror.rules import Explanation, Route, compile_rules
from traffic_mirror.spec.model import Rule, Spec
from traffic_mirror.spec.problems import SpecError
from traffic_mirror.spec.reader import read_spec

_TIMESTAMP = "<unix seconds>"
_TRACE = "<made from the flow id>"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("spec", metavar="SPEC", help="a spec: a file, or a directory of them")
    parser.add_argument("method", metavar="METHOD", help="the request's method, such as GET")
    parser.add_argument("url", metavar="URL", help="the whole URL that the client asks for")
    parser.add_argument(
        "-H",
        "--header",
        dest="headers",
        metavar="'Name: value'",
        action="append",
        default=[],
        help="a header of the request; may be given several times",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Explains one request. 0: explained, taken or not; 1: the spec has problems; 2: no such request."""
    try:
        request = read_request(options.method, options.url, options.headers)
    except ValueError as problem:
        sys.stderr.write(f"explain: {problem}\n")
        return 2
    try:
        spec = read_spec(Path(options.spec), os.environ, check_filter)
    except SpecError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in error.problems)
        return 1
    found = compile_rules(spec, compile_filter).explain(
        request.method.decode(), request.host, request.target, request.headers, _flow(spec, request)
    )
    result = describe(spec, found, request)
    if options.json:
        sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    else:
        asked = Masker(spec.secrets).text(f"{options.method} {options.url}")
        sys.stdout.writelines(f"{line}\n" for line in _lines(result, asked))
    return 0


def compile_filter(expression: str) -> Callable[[object], bool]:
    """A filter expression as a function; mitmproxy is imported only when a spec has one."""
    from traffic_mirror.edge.filters import compile_filter as compiled  # noqa: PLC0415 - it takes half a second

    return compiled(expression)


def _flow(spec: Spec, request: FrozenRequest) -> object | None:
    """What filters look at; None where the spec has none."""
    if all(rule.match.filter is None for api in spec.apis for rule in api.rules):
        return None
    from traffic_mirror.edge.filters import make_flow  # noqa: PLC0415 - as above

    return make_flow(request)


class ShownCopy(TypedDict):
    """A copy as it is printed; the markers' id and time are placeholders, and secrets are masked.

    `sampled` says in words of how many requests there is one, or why there is none; None: of all.
    """

    destination: str
    sampled: str | None
    url: str
    headers: list[tuple[str, str]]


class Described(TypedDict):
    """The one JSON object that `--json` prints."""

    matched: bool
    api: str | None
    rule: str | None
    copies: list[ShownCopy]
    why: list[dict[str, str]]


def describe(spec: Spec, found: Explanation, request: FrozenRequest) -> Described:
    """The explanation, the copies with it, ready to be printed."""
    route, masker = found.route, Masker(spec.secrets)
    return {
        "matched": route is not None,
        "api": route.api.name if route else None,
        "rule": route.rule.name if route else None,
        "copies": [_copy(spec, route, index, request, masker) for index in route.rule.destinations]
        if route
        else [],
        "why": [
            {"api": miss.api, "rule": miss.rule, "reason": masker.text(miss.reason)} for miss in found.misses
        ],
    }


def _copy(spec: Spec, route: Route, index: int, request: FrozenRequest, masker: Masker) -> ShownCopy:
    destination = spec.destinations[index]
    plan = compile_plan(spec.markers, route.api, route.rule, destination)
    copy = plan.copy(request, b"")
    placeholders = {name.lower(): _TIMESTAMP for name in (plan.marking.timestamp,) if name is not None}
    if all(name.lower() != b"traceparent" for name, _ in request.headers):
        placeholders[b"traceparent"] = _TRACE
    return {
        "destination": masker.text(destination.name),
        "sampled": _skipped(spec, route.rule, request) or _sampled(route.rule, destination.sample_rate),
        "url": masker.text(copy.shown_url),
        "headers": [
            (
                _shown(name),
                placeholders.get(name.lower()) or masker.text(_value(name, value, request.headers)),
            )
            for name, value in ((b"Host", copy.host), *copy.headers)
        ],
    }


def _skipped(spec: Spec, rule: Rule, request: FrozenRequest) -> str | None:
    """Why a request that a rule takes is not copied all the same."""
    if has_field(request.headers, marker_names(spec)):
        return "skipped: the request is a copy itself"
    if is_websocket_upgrade(request.headers) and not rule.websocket:
        return "skipped: the rule does not say websocket: true"
    return None


def _sampled(rule: Rule, destination_rate: float) -> str | None:
    """How many of the requests that a rule takes are copied to a destination of that rate."""
    share, by = rule.sample_rate * destination_rate, rule.sample_by
    parts = []
    if share != 1:
        parts.append(f"{share * 100:g} % of such requests")
        if by is not None:
            parts.append(f"alike by {by.source}{by.name and ' '}{by.name}")
    if rule.max_rate is not None:
        parts.append(f"at most {rule.max_rate:g} a second")
    return ", ".join(parts) or None


def _value(name: bytes, value: bytes, typed: Fields) -> str:
    """A field's value; of credentials only how they are given, unless the user has `typed` them."""
    text, lower = _shown(value), _shown(name).lower()
    if lower == "authorization":
        scheme, space, _ = text.partition(" ")
        return f"{scheme} {MASK}" if space else MASK
    return MASK if lower in SENSITIVE_HEADERS and (name, value) not in typed else text


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _lines(result: Described, asked: str) -> Iterator[str]:
    """The explanation for people."""
    taken = f"is taken by {result['api']} / {result['rule']}" if result["matched"] else "is taken by no rule"
    yield f"{asked} {taken}"
    for copy in result["copies"]:
        yield ""
        sampled = f" ({copy['sampled']})" if copy["sampled"] else ""
        yield f"copy to {copy['destination']}{sampled}: {copy['url']}"
        for name, value in copy["headers"]:
            yield f"    {name}: {value}"
    if result["why"]:
        yield ""
        yield "rules that do not take it:"
        for miss in result["why"]:
            yield f"    {miss['api']} / {miss['rule']}: {miss['reason']}"
