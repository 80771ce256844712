"""Answers that cannot be compared, and those that can in part."""

from __future__ import annotations

import gzip
import itertools
import zlib

import brotli  # type: ignore[import-untyped]  # it ships no types
import msgspec
import pytest
import zstandard

from tests.compare.answers import PLAIN, answer, ask, compare, found
from traffic_mirror.compare import Answer, Budget, compile_policy, judge
from traffic_mirror.compare.decoding import TooLargeError, UndecodableError, decode_content
from traffic_mirror.spec.model import Compare

TEXT = b"some text " * 100
CODED = {
    "gzip": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "br": brotli.compress(TEXT),
    "zstd": zstandard.compress(TEXT),
}


def coded(body: bytes, coding: str) -> Answer:
    return Answer(
        status=200,
        headers=((b"content-type", b"text/plain"), (b"content-encoding", coding.encode())),
        body=body,
    )


@pytest.mark.parametrize(("name", "body"), CODED.items(), ids=CODED.keys())
def test_codings_are_undone(name: str, body: bytes) -> None:
    assert decode_content(body, name, 1000) == TEXT
    verdict = judge(answer(TEXT, "text/plain"), coded(body, name), PLAIN)
    assert verdict.verdict == "match"


def test_raw_deflate_and_chains_and_members() -> None:
    raw = zlib.compressobj(wbits=-15)
    assert decode_content(raw.compress(TEXT) + raw.flush(), "deflate", 1000) == TEXT
    assert decode_content(gzip.compress(CODED["br"]), "br, gzip", 1000) == TEXT
    assert decode_content(gzip.compress(b"a") + gzip.compress(b"b"), "x-gzip", 10) == b"ab"


@pytest.mark.parametrize("name", CODED)
def test_a_small_body_never_becomes_a_huge_one(name: str) -> None:
    bomb = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstandard.compress,
    }[name]
    with pytest.raises(TooLargeError):
        decode_content(bomb(b"\0" * 10_000_000), name, 100_000)
    verdict = judge(coded(bomb(b"\0" * 10_000_000), name), coded(b"", name), PLAIN)
    assert (verdict.verdict, verdict.reason) == ("incomparable", "too_large")


@pytest.mark.parametrize("name", CODED)
def test_a_broken_body_is_compared_by_its_bytes(name: str) -> None:
    with pytest.raises(UndecodableError):
        decode_content(CODED[name][:-9], name, 100_000)
    verdict = judge(coded(CODED[name], name), coded(CODED[name][:-9], name), PLAIN)
    assert found(verdict) == [("body", "type", "text", "bytes")]


def test_an_unknown_coding_is_compared_by_its_bytes() -> None:
    assert (
        judge(coded(b"abc", "compress"), coded(b"abd", "compress"), PLAIN).differences[0].place
        == "body:bytes"
    )


@pytest.mark.parametrize("reason", ["streamed", "too_large", "unavailable"])
def test_a_missing_body_is_incomparable_with_its_reason(reason: str) -> None:
    missing = Answer(status=200, headers=(), body=None, missing=reason)
    verdict = judge(missing, Answer(status=200, headers=(), body=b"x"), PLAIN)
    assert (verdict.verdict, verdict.reason) == ("incomparable", reason)


def test_what_is_there_is_compared_where_a_body_is_missing() -> None:
    missing = Answer(status=200, headers=(), body=None, missing="streamed")
    assert judge(missing, Answer(status=500, headers=(), body=b"x"), PLAIN).verdict == "differ"


def test_a_304_for_a_200_says_nothing_of_the_body() -> None:
    verdict = judge(answer(b"", status=304), answer({"a": 1}), compile_policy(Compare(ignore=("status",))))
    assert (verdict.verdict, verdict.reason) == ("incomparable", "not_modified")
    assert judge(answer(b"", status=304), answer(b"", status=304), PLAIN).verdict == "match"


@pytest.mark.parametrize(
    ("first", "second", "header", "reason"),
    [
        pytest.param(304, 200, b"If-None-Match", "not_modified", id="the copy does not know the tag"),
        pytest.param(200, 304, b"if-modified-since", "not_modified", id="nor the primary the date"),
        pytest.param(206, 200, b"If-Range", "not_modified", id="nor the copy what was begun"),
        pytest.param(304, 200, b"Accept", None, id="not asked for"),
        pytest.param(304, 500, b"If-None-Match", None, id="an error is no whole answer"),
        pytest.param(206, 200, b"Range", None, id="ranges are not served"),
    ],
)
def test_validators_are_of_the_primarys_making(
    first: int, second: int, header: bytes, reason: str | None
) -> None:
    request = msgspec.structs.replace(ask(), headers=((header, b"x"),))
    verdict = judge(answer(b"", status=first), answer({"a": 1}, status=second), PLAIN, request=request)
    assert (verdict.verdict, verdict.reason) == ("incomparable" if reason else "differ", reason)


def test_a_body_over_the_bound_is_too_large() -> None:
    policy = compile_policy(Compare(max_bytes=10))
    assert compare({"a": "x" * 20}, {"a": "y" * 20}, policy=policy).reason == "too_large"


def test_over_budget_is_incomparable() -> None:
    primary, copy = answer(list(range(1000))), answer(list(range(1, 2000)))
    assert judge(primary, copy, PLAIN, budget=Budget(steps=100)).reason == "budget"
    ticks = itertools.count()
    slow = Budget(seconds=0, clock=lambda: float(next(ticks)))
    assert (
        judge(answer({"a": ["x"] * 9000}), answer({"a": ["y"] * 9000}), PLAIN, budget=slow).reason == "budget"
    )


def test_head_needs_no_body() -> None:
    assert judge(answer(b""), answer(None), PLAIN, request=ask("HEAD")).verdict == "match"
