"""Headers: those that matter, each in its way, and those that do not."""

from __future__ import annotations

import pytest

from tests.compare.answers import COPY, LATER, PLAIN, answer, aside, ask, compare, found
from traffic_mirror.compare import judge

SET_ASIDE = {
    "date": ("Date", "Mon, 23 Nov 2026 10:00:00 GMT", "Mon, 01 Jan 2024 10:00:00 GMT", "timestamp"),
    "hop by hop": ("Transfer-Encoding", "chunked", None, "hop_by_hop"),
    "server": ("Server", "nginx", "envoy", "infrastructure"),
    "request id": ("X-Request-Id", "1", None, "trace"),
    "named request id": ("X-Acme-Request-Id", "a", "b", "trace"),
    "duration": ("Server-Timing", "db;dur=1", "db;dur=2", "duration"),
    "rate limit left": ("X-RateLimit-Remaining", "99", "98", "counter"),
    "coding": ("Content-Encoding", None, "identity", "coding"),
    "length": ("Content-Length", "7", None, "derived"),
    "order of tokens": ("Vary", "Accept, Origin", "origin,accept", "notation"),
    "order of directives": ("Cache-Control", "private, max-age=5", "max-age=5, private", "notation"),
    "case of a charset": ("Content-Language", "de", "DE", "notation"),
    "balancer's cookie": ("Set-Cookie", "AWSALB=abc; Path=/", None, "infrastructure"),
    "marker": ("X-Traffic-Mirror-Id", None, "x", "marker"),
}


@pytest.mark.parametrize(("name", "first", "second", "why"), SET_ASIDE.values(), ids=SET_ASIDE.keys())
def test_what_does_not_matter_is_set_aside_and_listed(name: str, first: str, second: str, why: str) -> None:
    verdict = compare({}, {}, headers=(first, second), name=name)
    assert verdict.verdict == "match"
    assert [w for _, w in aside(verdict)] == [why]


DIFFER = {
    "missing": ("X-Frame-Options", "DENY", None, ("header:X-Frame-Options", "removed", "DENY", None)),
    "added": (
        "Access-Control-Allow-Origin",
        None,
        "*",
        ("header:Access-Control-Allow-Origin", "added", None, "*"),
    ),
    "limit": ("X-RateLimit-Limit", "100", "60", ("header:X-Ratelimit-Limit", "value", "100", "60")),
    "strength of an etag": ("ETag", '"1"', 'W/"1"', ("header:ETag", "value", '"1"', 'W/"1"')),
    "cookie attribute": (
        "Set-Cookie",
        "a=1; HttpOnly",
        "a=1",
        ("header:Set-Cookie", "removed", "a: httponly", None),
    ),
    "cookie value": (
        "Set-Cookie",
        "lang=de",
        "lang=en",
        ("header:Set-Cookie", "value", "lang=… (one value)", "lang=… (another value)"),
    ),
    "cookie": (
        "Set-Cookie",
        None,
        "sid=secret; Path=/",
        ("header:Set-Cookie", "added", None, "sid=…; path=/"),
    ),
}


@pytest.mark.parametrize(("name", "first", "second", "difference"), DIFFER.values(), ids=DIFFER.keys())
def test_what_matters_is_a_difference(name: str, first: str, second: str, difference: object) -> None:
    assert found(compare({}, {}, headers=(first, second), name=name)) == [difference]


def test_case_of_names_and_order_mean_nothing() -> None:
    primary = answer({}, headers=(("X-A", "1"), ("X-B", "2")))
    copy = answer({}, headers=(("x-b", "2"), ("x-a", "1")), began=LATER, hosts=COPY)
    assert judge(primary, copy, PLAIN).verdict == "match"


def test_a_media_type_is_compared_with_its_parameters() -> None:
    primary, copy = answer("a", "text/html; charset=UTF-8"), answer("a", "text/html;charset=utf-8")
    assert judge(primary, copy, PLAIN).verdict == "match"
    other = judge(primary, answer("a", "text/html; charset=iso-8859-1"), PLAIN)
    assert [d.place for d in other.differences] == ["header:Content-Type"]


def test_a_head_answer_is_compared_by_its_headers() -> None:
    primary = answer(b"", headers=(("Content-Length", "10"),))
    copy = answer(b"", headers=(("Content-Length", "20"),))
    verdict = judge(primary, copy, PLAIN, request=ask("HEAD"))
    assert found(verdict) == [("header:Content-Length", "value", "10", "20")]
