"""What a destination receives is what the client sent, byte for byte, but for what the spec asks."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Iterator

import pytest

from tests.clients import Client, request
from tests.e2e.stage import MARKERS, Stage, stage, tag, without_markers
from tests.http1 import Message

SPEC = """
version: 1
destinations:
  shadow: {url: $shadow}
  dressed:
    url: "$dressed/base?tenant=s"
    headers: {X-Env: shadow, x-kept: by destination}
    remove_headers: [Cookie]
    host: literal.test
  preserving: {url: "$preserving", host: preserve}
apis:
  - name: all
    traffic_mirror:
      - name: dressed
        path: /dressed/*
        headers: {X-Mirror-Reason: canary, X-Kept: by rule}
        remove_headers: [X-Secret]
        destinations: [dressed]
      - {name: preserving, path: /preserving/*, destinations: [preserving]}
      - {name: posts, path: /only-post/*, method: POST, destinations: [shadow]}
      - {name: small, path: /small/*, max_body: 10, destinations: [shadow]}
      - {name: waits, path: /waits/*, async: false, destinations: [shadow]}
      - {name: any, path: "^/", destinations: [shadow]}
"""

BINARY = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("copies")
    with stage(directory, SPEC, behaviours={"shadow": None, "dressed": None, "preserving": None}) as running:
        yield running


def copied(on: Stage, data: bytes, word: str) -> tuple[Message, Message]:
    """What the primary and the shadow got when a client sent `data`."""
    assert on.send(data).status == 200
    (original,) = on.received("primary", word)
    (copy,) = on.received("shadow", word)
    return original, copy


@pytest.mark.parametrize(
    ("method", "body"),
    [
        pytest.param("GET", None, id="none"),
        pytest.param("POST", b"", id="empty"),
        pytest.param("POST", b"x", id="one-byte"),
        pytest.param("PUT", b"0123456789abcdef" * 65536, id="one-MiB"),
        pytest.param("POST", BINARY, id="binary"),
        pytest.param("POST", b"\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", id="looks-like-http"),
        pytest.param("DELETE", b"why not", id="delete-with-a-body"),
        pytest.param("GET", b"a GET with one", id="get-with-a-body"),
        pytest.param("PROPFIND", b"<x/>", id="a-method-of-its-own"),
    ],
)
def test_a_body_arrives_as_it_was_sent(on: Stage, method: str, body: bytes | None) -> None:
    word = tag()
    original, copy = copied(on, request(f"/{word}", method=method, body=body), word)
    assert (copy.method, copy.body) == (method.encode(), body or b"")
    assert copy.header("content-length") == (None if body is None else str(len(body)).encode())
    assert copy.header("transfer-encoding") is None
    assert copy.header("expect") is None
    assert original.body == copy.body


def test_an_encoded_body_is_not_decoded(on: Stage) -> None:
    word, body = tag(), gzip.compress(b"squeezed " * 1000)
    headers = [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")]
    _, copy = copied(on, request(f"/{word}", method="POST", headers=headers, body=body), word)
    assert copy.body == body
    assert copy.header("content-encoding") == b"gzip"


def test_a_body_that_is_not_what_its_encoding_says_travels_all_the_same(on: Stage) -> None:
    word = tag()
    headers = [("Content-Encoding", "gzip")]
    _, copy = copied(on, request(f"/{word}", method="POST", headers=headers, body=b"not gzip"), word)
    assert copy.body == b"not gzip"


def test_a_chunked_body_is_sent_whole(on: Stage) -> None:
    word = tag()
    head = f"POST /{word} HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    _, copy = copied(on, head + b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n", word)
    assert copy.body == b"hello world"
    assert copy.header("content-length") == b"11"
    assert copy.header("transfer-encoding") is None


def test_a_large_body_that_curl_would_announce_is_not_held_back(on: Stage) -> None:
    word = tag()
    data = request(f"/{word}", method="POST", body=b"x" * 2_000_000, headers=[("Expect", "100-continue")])
    with Client(on.proxy.port) as client:
        client.send(data)
        answer = client.receive(b"POST")
        if answer.status == 100:
            answer = client.receive(b"POST")
    assert answer.status == 200
    (copy,) = on.received("shadow", word)
    assert (len(copy.body), copy.header("expect")) == (2_000_000, None)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/{}/a/../b/./c", id="dots"),
        pytest.param("//{}//x", id="double-slashes"),
        pytest.param("/{}/a%2Fb%2fc", id="escaped-slash"),
        pytest.param("/{}/a%20b%zz%", id="bad-escapes"),
        pytest.param("/{}/a%20b+c", id="a-space"),
        pytest.param("/{}/caf\xe9\xff\x80", id="non-ascii-bytes"),
        pytest.param("/{}/x?", id="bare-question-mark"),
        pytest.param("/{}?a=1&a=2&b&=c&a=1", id="repeated-keys"),
        pytest.param("/{}?next=http://h/?x=1#frag", id="a-fragment"),
        pytest.param("/{}/{{t}}|^`\\<>\"'[]", id="what-must-not-be-there"),
        pytest.param("/{};v=1,2/@:!$&'()*+,;=", id="what-may-be-there"),
        pytest.param("/{}/" + "long/" * 1500, id="7-KiB"),
    ],
)
def test_a_target_arrives_as_it_was_written(on: Stage, target: str) -> None:
    word = tag()
    original, copy = copied(on, request(target.format(word)), word)
    assert copy.target == target.format(word).encode("latin-1")
    assert original.target == copy.target


def test_header_order_case_and_duplicates_are_kept(on: Stage) -> None:
    word = tag()
    headers = [
        ("X-b", "2"),
        ("x-A", "1"),
        ("ACCEPT", "*/*"),
        ("X-b", "3"),
        ("x-B", "2"),
        ("Cookie", "a=1; b=2"),
        ("X-Empty", ""),
        ("X-Inner", "two  spaces,\ttab"),
        ("X-Latin", "caf\xe9"),
        ("User-Agent", ""),
    ]
    original, copy = copied(on, request(f"/{word}", headers=headers), word)
    expected = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    assert without_markers(copy) == expected
    assert without_markers(original) == expected


def test_nothing_is_added_that_a_client_did_not_send(on: Stage) -> None:
    word = tag()
    _, copy = copied(on, f"GET /{word} HTTP/1.1\r\nHost: h.test\r\n\r\n".encode(), word)
    assert {name for name, _ in copy.headers} == {b"Host", *MARKERS}


def test_hop_by_hop_headers_and_proxy_credentials_stay(on: Stage) -> None:
    word = tag()
    headers = [
        ("Connection", "keep-alive, X-Named"),
        ("X-Named", "by Connection"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authorization", "Basic c2VjcmV0OnNlY3JldA=="),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "deflate"),
        ("Authorization", "Bearer the-client-s-own"),
        ("X-Last", "1"),
    ]
    _, copy = copied(on, request(f"/{word}", headers=headers), word)
    assert without_markers(copy) == [(b"Authorization", b"Bearer the-client-s-own"), (b"X-Last", b"1")]


def test_a_copy_says_what_it_is(on: Stage) -> None:
    word, before = tag(), time.time()
    original, copy = copied(on, request(f"/{word}", host="shop.example.test"), word)
    assert copy.header("X-Traffic-Mirror") == b"true"
    assert copy.header("X-Traffic-Mirror-Source")
    assert before - 2 < float(copy.header("X-Traffic-Mirror-Timestamp") or 0) < time.time() + 2
    assert re.fullmatch(rb"[0-9a-f-]{36}", copy.header("X-Traffic-Mirror-Id") or b"")
    assert not {name for name, _ in original.headers} & set(MARKERS), "the primary sees nothing of it"


def test_a_copy_is_dressed_for_its_destination(on: Stage) -> None:
    word = tag()
    headers = [("Cookie", "a=1"), ("X-Secret", "s"), ("X-Env", "prod"), ("X-Own", "1")]
    on.send(request(f"/dressed/{word}?x=1", headers=headers))
    (copy,) = on.received("dressed", word)
    assert copy.target == f"/base/dressed/{word}?tenant=s&x=1".encode()
    assert copy.header("host") == b"literal.test"
    assert copy.header("cookie") is None
    assert copy.header("x-secret") is None
    assert copy.header("x-own") == b"1"
    assert copy.header("x-env") == b"shadow"
    assert copy.header("x-mirror-reason") == b"canary"
    assert copy.header("x-kept") == b"by destination"


def test_the_host_is_the_destination_s_unless_it_is_to_be_preserved(on: Stage) -> None:
    word = tag()
    _, copy = copied(on, request(f"/{word}", host="shop.example.test"), word)
    assert copy.header("host") == on.servers["shadow"].url.removeprefix("http://").encode()
    on.send(request(f"/preserving/{word}", host="shop.example.test"))
    (kept,) = on.received("preserving", word)
    (original,) = on.received("primary", f"/preserving/{word}")
    assert kept.header("host") == original.header("host")


def test_only_what_a_rule_takes_is_copied(on: Stage) -> None:
    word = tag()
    on.send(request(f"/only-post/{word}", method="POST", body=b"1"))
    (copy,) = on.received("shadow", word)
    assert copy.method == b"POST"
    on.wait_until_ended("posts", "shadow", {("delivered", "2xx"): 1})


def test_a_body_over_the_rule_s_bound_is_skipped_and_counted(on: Stage) -> None:
    word = tag()
    assert on.send(request(f"/small/{word}", method="POST", body=b"x" * 11)).status == 200
    assert on.send(request(f"/small/{word}-fits", method="POST", body=b"x" * 10)).status == 200
    (copy,) = on.received("shadow", word)
    assert copy.body == b"x" * 10
    on.wait_until_ended("small", "shadow", {("delivered", "2xx"): 1, ("skipped", "body_too_large"): 1})


def test_a_connection_s_requests_are_copied_one_by_one(on: Stage) -> None:
    word = tag()
    with Client(on.proxy.port) as client:
        for number in range(50):
            assert client.exchange(request(f"/{word}/{number}")).status == 200
    copies = on.received("shadow", word, 50)
    assert {copy.target for copy in copies} == {f"/{word}/{number}".encode() for number in range(50)}


def test_connections_are_used_again(on: Stage) -> None:
    word, before = tag(), on.servers["shadow"].connections
    for number in range(20):
        on.send(request(f"/waits/{word}/{number}"))  # one copy after the other
    on.received("shadow", word, 20)
    assert on.servers["shadow"].connections - before <= 2
