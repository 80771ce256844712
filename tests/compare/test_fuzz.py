"""Real-looking answers that were cut, doubled and swapped, and hostile ones: each gets its verdict, and ends."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compare.answers import PLAIN, answer, ask
from tests.compare.corpus import corpus
from tests.compare.corpus.services import SERVICES
from traffic_mirror.compare import Answer, compile_policy, judge
from traffic_mirror.spec.model import Compare

CORPUS = [pair for differ in (False, True) for pair in corpus(20261123, len(SERVICES), differ=differ)]
POLICY = compile_policy(
    Compare(
        ignore=("header:X-*", "body:$..b"),
        tolerance=(("body:$..a", 0.5),),
        unordered=(("body:$", True), ("body:$.*", "id")),
        equivalent=(("v1/(.*)", "v2/(.*)"),),
    )
)
WIDE = {f"k{number}": [number, {"a": str(number)}] for number in range(5000)}
HOSTILE = {
    "deep lists": (b"[" * 100_000, "application/json"),
    "deep lists, closed": (b"[" * 50_000 + b"]" * 50_000, "application/json"),
    "deep objects": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "application/json"),
    "deep JSON in JSON": (json.dumps(json.dumps(json.dumps([[[1]]] * 100))).encode(), "application/json"),
    "wide": (json.dumps(WIDE).encode(), "application/json"),
    "a long number": (b"[" + b"9" * 200_000 + b"]", "application/json"),
    "large exponents": (b'{"a": [1e999999999, -1e-999999999, 0.1e+99999999999]}', "application/json"),
    "exponents beyond all bounds": (b'{"a": 1e' + b"9" * 5000 + b"}", "application/json"),
    "lone surrogates": (b'{"\\ud800": "\\udfff", "a": ["\\ud800", {"\\ud801": 1}]}', "application/json"),
    "a billion laughs": (
        b'<!DOCTYPE l [<!ENTITY a "ha">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12))
        + b"]><l>&m;</l>",
        "application/xml",
    ),
    "an outside entity": (
        b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>', "application/xml",
    ),
    "deep tags": (b"<a>" * 50_000, "text/xml"),
    "deep HTML": (b"<div>" * 50_000, "text/html"),
    "attributes": (b"<a " + b'b="c" ' * 20_000 + b">", "text/html"),
    "an endless line": (b"a" * 500_000, "text/plain"),
    "lines": (b"a\n" * 100_000, "text/plain"),
    "digits": (b"1" * 50_000 + b"-" * 50_000 + b":" * 50_000, "text/plain"),
    "nearly times": (b"2026-11-23T10:00:00" * 10_000, "text/plain"),
    "nearly tokens": (b"eyJ" * 30_000 + b"." * 10_000, "text/plain"),
    "parts": (b"--x\r\n" * 20_000, "multipart/mixed; boundary=x"),
    "nested parts": (b'--x\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n' * 1000, "multipart/mixed; boundary=x"),
    "a form": (b"a=1&" * 50_000, "application/x-www-form-urlencoded"),
    "events": (b"data: {}\n\n" * 20_000, "text/event-stream"),
    "UTF-16, halved": ("ü".encode("utf-16") * 1000 + b"\x00", "text/plain; charset=utf-16"),
    "a charset that is none": (b"\xff" * 1000, "text/plain; charset=" + "x" * 1000),
}  # fmt: skip
# A comparison's own bound is a second; what does not end takes all of this.
FUZZ = settings(
    max_examples=200, deadline=timedelta(seconds=20), suppress_health_check=[HealthCheck.too_slow]
)


def check(primary: Answer, copy: Answer) -> None:
    """Either way round there is a verdict that holds together and can be told."""
    for first, second in ((primary, copy), (copy, primary)):
        for policy in (PLAIN, POLICY):
            verdict = judge(first, second, policy, request=ask())
            assert (verdict.verdict == "incomparable") == (verdict.reason is not None)
            assert (verdict.verdict == "differ") == bool(verdict.differences)
            msgspec.json.encode(verdict)


@FUZZ
@given(st.sampled_from(CORPUS), st.data())
def test_any_change_to_a_real_answer(pair, data: st.DataObject) -> None:  # type: ignore[no-untyped-def]
    copy: Answer = pair.copy
    body = copy.body or b""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(len(body), start + 40)))
        put = data.draw(
            st.one_of(
                st.binary(max_size=8),
                st.just(body[start:end] * 3),
                st.sampled_from([b"{", b"]", b'"', b"<", b"&", b"\x00", b"\xff\xfe", b"9" * 400, b"\\ud800"]),
            )
        )
        body = body[:start] + put + body[end:]
    check(pair.primary, msgspec.structs.replace(copy, body=body))


@FUZZ
@given(st.sampled_from(CORPUS), st.sampled_from(CORPUS))
def test_answers_of_different_services(first, second) -> None:  # type: ignore[no-untyped-def]
    check(first.primary, second.copy)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer(name: str) -> None:
    body, kind = HOSTILE[name]
    hostile = answer(body, kind)
    other = answer(body[: len(body) // 2] + b"x" + body[len(body) // 2 :], kind)
    check(hostile, hostile)
    check(hostile, other)
    check(answer({"a": 1}), hostile)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate", "gzip, gzip", "x" * 1000])
def test_a_body_whose_coding_lies_or_explodes(coding: str) -> None:
    bomb = answer(gzip.compress(bytes(64 << 20), 1), headers=(("Content-Encoding", coding),))
    check(bomb, bomb)
    check(answer({"a": 1}), bomb)
