"""The command `explain`: which rule takes a request, why the others do not, and what its copies look like."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypedDict

from traffic_mirror.check import check_filter
from traffic_mirror.copies import compile_plan
from traffic_mirror.copies.headers import check_text
from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.masking import MASK, Masker
from traffic_mirror.rules import Explanation, Route, compile_rules
from traffic_mirror.spec.model import Rule, Spec
from traffic_mirror.spec.problems import SpecError
from traffic_mirror.spec.reader import read_spec

_ID = "<flow id>"
_TIMESTAMP = "<unix seconds>"
_TRACE = "<made from the flow id>"
_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>https?)://(?:[^/?#@]*@)?(?P<authority>[^/?#@]+)(?P<target>[^#]*)(?:#.*)?",
    re.IGNORECASE | re.DOTALL,
)


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
        request = _request(options.method, options.url, options.headers)
    except ValueError as problem:
        sys.stderr.write(f"explain: {problem}\n")
        return 2
    try:
        spec = read_spec(Path(options.spec), os.environ, check_filter)
    except SpecError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in error.problems)
        return 1
    found = compile_rules(spec).explain(
        request.method.decode(), request.host, request.target, request.headers
    )
    result = describe(spec, found, request)
    if options.json:
        sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    else:
        asked = Masker(spec.secrets).text(f"{options.method} {options.url}")
        sys.stdout.writelines(f"{line}\n" for line in _lines(result, asked))
    return 0


class ShownCopy(TypedDict):
    """A copy as it is printed; the markers' id and time are placeholders, and secrets are masked.

    `sampled` says in words of how many requests there is one, None: of all.
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
        "sampled": _sampled(route.rule, destination.sample_rate),
        "url": masker.text(copy.shown_url),
        "headers": [
            (_shown(name), placeholders.get(name.lower()) or masker.text(_value(name, value)))
            for name, value in ((b"Host", copy.host), *copy.headers)
        ],
    }


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


def _value(name: bytes, value: bytes) -> str:
    """A field's value; of credentials only how they are given."""
    text = _shown(value)
    if name.lower() == b"authorization":
        scheme, space, _ = text.partition(" ")
        return f"{scheme} {MASK}" if space else MASK
    return text


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


def _request(method: str, url: str, written: Sequence[str]) -> FrozenRequest:
    """The request that a client would send; ValueError says what is wrong with how it is written."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ValueError(f"found the URL {url!r}, expected a whole one such as http://api.test/users/42")
    headers = tuple(_field(line) for line in written)
    named = next((value for name, value in headers if name.lower() == b"host"), None)
    authority = parts["authority"].encode() if named is None else named
    if named is None:
        headers = ((b"Host", authority), *headers)
    target = parts["target"]
    request = FrozenRequest(
        id=_ID,
        method=method.upper().encode(),
        scheme=parts["scheme"].lower(),
        host=_host(authority.decode("utf-8", "replace")),
        port=_PORTS[parts["scheme"].lower()],
        authority=authority,
        target=(target if target.startswith("/") else "/" + target).encode(),
        http_version="HTTP/1.1",
        headers=headers,
        body=b"",
        time=0.0,
    )
    check_text((request.method, request.target, *chain.from_iterable(headers)))
    return request


def _field(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"found the header {line!r}, expected 'Name: value'")
    return name.strip().encode(), value.strip().encode()


def _host(authority: str) -> str:
    """The host of an authority, without its port."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0].lower()
