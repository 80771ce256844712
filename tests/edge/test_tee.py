"""The tee sees every byte of a streamed body and changes none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from mitmproxy.test import tutils

from traffic_mirror.edge.tee import may_have_body, tee_stream


def test_nothing_is_streamed_until_someone_says_so() -> None:
    request = tutils.treq()
    tee_stream(request, lambda piece: None)
    assert request.stream is False


def test_a_plain_switch_passes_the_pieces_on() -> None:
    request = tutils.treq()
    seen: list[bytes] = []
    tee_stream(request, seen.append)
    request.stream = True
    stream = request.stream
    assert callable(stream)
    assert [stream(piece) for piece in (b"a", b"b", b"")] == [b"a", b"b", b""]
    assert seen == [b"a", b"b", b""]


def test_a_switch_made_before_is_kept() -> None:
    request = tutils.treq()
    seen: list[bytes] = []
    request.stream = True
    tee_stream(request, seen.append)
    assert callable(request.stream)
    request.stream(b"x")
    assert seen == [b"x"]


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_another_addons_callable_still_decides_what_the_primary_gets(first: str) -> None:
    def shout(piece: bytes) -> Iterable[bytes]:
        return [piece.upper(), b"!"]

    request = tutils.treq()
    seen: list[bytes] = []
    if first == "theirs":
        request.stream = shout
    tee_stream(request, seen.append)
    if first == "ours":
        request.stream = shout
    assert callable(request.stream)
    assert request.stream(b"hey") == [b"HEY", b"!"]
    assert seen == [b"hey"], "the copy carries what the client sent"


def test_an_addon_may_put_its_own_around_what_is_there() -> None:
    """Around the tee, that is, which must see each piece once and not call itself."""
    request = tutils.treq()
    seen: list[bytes] = []
    request.stream = True
    tee_stream(request, seen.append)
    for mark in (b"1", b"2"):
        before = request.stream
        assert callable(before)

        def wrap(piece: bytes, before: Callable[[bytes], bytes] = before, mark: bytes = mark) -> bytes:
            return before(piece) + mark

        request.stream = wrap
    request.stream = request.stream
    assert callable(request.stream)
    assert request.stream(b"a") == b"a12"
    assert seen == [b"a"]


def test_a_teed_request_is_copied_like_any_other() -> None:
    request = tutils.treq(content=b"body")
    seen: list[bytes] = []
    tee_stream(request, seen.append)
    twin = request.copy()
    assert (twin.url, twin.headers, twin.content) == (request.url, request.headers, request.content)
    twin.stream = True
    assert twin.stream is True, "a copy has no tee"


@pytest.mark.parametrize(
    ("version", "method", "headers", "expected"),
    [
        pytest.param(b"HTTP/1.1", b"GET", ((b"Host", b"a"),), False, id="a plain GET"),
        pytest.param(b"HTTP/1.1", b"GET", ((b"content-LENGTH", b"3"),), True, id="a GET with a body"),
        pytest.param(b"HTTP/1.1", b"POST", ((b"Transfer-Encoding", b"chunked"),), True, id="chunked"),
        pytest.param(b"HTTP/1.1", b"POST", (), False, id="a POST that announces nothing"),
        pytest.param(b"HTTP/2.0", b"POST", (), True, id="HTTP/2 announces nothing"),
        pytest.param(b"HTTP/2.0", b"GET", (), False, id="an HTTP/2 GET"),
        pytest.param(b"HTTP/2.0", b"GET", ((b"content-length", b"3"),), True, id="an HTTP/2 GET with a body"),
        pytest.param(b"HTTP/1.1", b"HEAD", ((b"Content-Length", b"3"),), False, id="a HEAD's means nothing"),
    ],
)
def test_where_a_body_may_come(
    version: bytes, method: bytes, headers: tuple[tuple[bytes, bytes], ...], expected: bool
) -> None:
    request = tutils.treq(http_version=version, method=method)
    request.data.headers.fields = headers
    assert may_have_body(request.data) is expected
