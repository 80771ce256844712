"""What is read off a flow: the host asked for in each mode, the frozen request, the frozen answer."""

from __future__ import annotations

import pytest
from mitmproxy import http
from mitmproxy.proxy import mode_specs
from mitmproxy.test import tflow, tutils

from traffic_mirror.copies.headers import is_websocket_upgrade
from traffic_mirror.edge import capture


def flow_in(mode: str, fields: tuple[tuple[bytes, bytes], ...], **request: object) -> http.HTTPFlow:
    flow = tflow.tflow(req=tutils.treq(**request))
    flow.client_conn.proxy_mode = mode_specs.ProxyMode.parse(mode)
    flow.client_conn.sni = None
    flow.request.data.headers.fields = fields
    assert isinstance(flow, http.HTTPFlow)
    return flow


HOST = ((b"Host", b"Named.Test:8080"),)


@pytest.mark.parametrize(
    ("mode", "fields", "sni", "expected"),
    [
        pytest.param("regular", HOST, None, "address", id="regular: the URL, not the Host header"),
        pytest.param("upstream:http://p:1", HOST, None, "address", id="upstream: the URL"),
        pytest.param("socks5", HOST, None, "address", id="SOCKS: the name asked for"),
        pytest.param("transparent", HOST, None, "named.test", id="transparent: the Host header"),
        pytest.param("reverse:http://p:1", HOST, None, "named.test", id="reverse: the Host header"),
        pytest.param("transparent", (), "sni.test", "sni.test", id="no Host: the TLS server name"),
        pytest.param("transparent", (), None, "address", id="neither: the address"),
        pytest.param("transparent", ((b"host", b"[::1]:80"),), None, "::1", id="an IPv6 literal"),
        pytest.param("transparent", ((b"host", b"\xff\xfe"),), None, "��", id="bytes that are no text"),
    ],
)
def test_the_host_asked_for(
    mode: str, fields: tuple[tuple[bytes, bytes], ...], sni: str | None, expected: str
) -> None:
    flow = flow_in(mode, fields)
    flow.client_conn.sni = sni
    assert capture.freeze_request(flow).host == expected


def test_http2_names_its_host_in_the_authority() -> None:
    flow = flow_in("transparent", (), http_version=b"HTTP/2.0", authority=b"two.test:443")
    assert capture.freeze_request(flow).host == "two.test"
    assert capture.freeze_request(flow).authority == b"two.test:443"


def test_a_frozen_request_keeps_every_byte() -> None:
    fields = ((b"X-b", b"1"), (b"x-B", b"2\xff"), (b"Host", b"h"))
    flow = flow_in("reverse:http://p:1", fields, path=b"/a/../b c?x&x=\xff")
    request = capture.freeze_request(flow)
    assert (request.target, request.headers, request.id) == (b"/a/../b c?x&x=\xff", fields, flow.id)
    assert request.body is None
    assert request.client == "127.0.0.1"


def test_proxy_credentials_stay_behind() -> None:
    fields = ((b"proxy-AUTHORIZATION", b"Basic c2VjcmV0"), (b"Authorization", b"Bearer theirs"))
    flow = flow_in("upstream:http://p:1", fields)
    assert capture.freeze_request(flow).headers == ((b"Authorization", b"Bearer theirs"),)
    assert capture.freeze_request(flow, added_authorization=True).headers == ()


def test_an_answer_that_is_not_compared_is_told_without_its_body() -> None:
    flow = tflow.tflow(resp=True)
    frame, body = capture.freeze_answer(flow, "h", None)
    assert (frame.status, frame.headers, frame.has_body, body) == (200, (), False, b"")


@pytest.mark.parametrize(
    ("content", "missing", "sent"),
    [
        pytest.param(b"message", "", b"message", id="whole"),
        pytest.param(b"", "", b"", id="empty, but there"),
        pytest.param(None, "streamed", b"", id="streamed"),
        pytest.param(b"12345678901", "too_large", b"", id="over the bound"),
    ],
)
def test_an_answer_that_is_compared(content: bytes | None, missing: str, sent: bytes) -> None:
    flow = tflow.tflow(resp=True)
    assert flow.response is not None
    flow.response.data.content = content
    frame, body = capture.freeze_answer(flow, "asked.test", 10)
    assert (frame.missing, body, frame.has_body) == (missing, sent, not missing)
    assert frame.headers == flow.response.data.headers.fields
    assert ("asked.test" in frame.hosts, frame.scheme) == (True, "http")


@pytest.mark.parametrize(
    ("released", "began"),
    [pytest.param(0.0, 100.0, id="went on at once"), pytest.param(103.0, 103.0, id="held for its copies")],
)
def test_the_primary_is_timed_from_when_its_request_went_on(released: float, began: float) -> None:
    flow = tflow.tflow(resp=True)
    assert flow.response is not None
    flow.request.timestamp_end, flow.response.timestamp_end = 100.0, 103.5
    frame, _ = capture.freeze_answer(flow, "h", None, released)
    assert (frame.began, frame.seconds) == (began, 103.5 - began)


def test_a_primary_that_did_not_answer_is_told_with_the_reason() -> None:
    flow = tflow.tflow(err=True)
    frame, _ = capture.freeze_answer(flow, "h", 10)
    assert (frame.status, frame.error) == (0, "error")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (((b"upgrade", b"WebSocket"),), True),
        (((b"Upgrade", b"h2c"),), False),
        (((b"X", b"websocket"),), False),
    ],
)
def test_websocket_upgrades(fields: tuple[tuple[bytes, bytes], ...], expected: bool) -> None:
    assert is_websocket_upgrade(fields) is expected


@pytest.mark.parametrize("max_bytes", [None, 3, 7, 10])
@pytest.mark.parametrize("content", [b"message", b"", None], ids=["whole", "empty", "streamed"])
def test_an_answer_frozen_for_more_is_cut_to_what_is_compared(
    content: bytes | None, max_bytes: int | None
) -> None:
    flow = tflow.tflow(resp=True)
    assert flow.response is not None
    flow.response.data.content = content
    for_more = capture.freeze_answer(flow, "h", 10)
    assert capture.cut_answer(*for_more, max_bytes) == capture.freeze_answer(flow, "h", max_bytes)


def test_no_answer_is_cut_to_no_answer() -> None:
    failed = capture.freeze_answer(tflow.tflow(err=True), "h", 10)
    assert capture.cut_answer(*failed, None) == failed
