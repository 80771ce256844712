"""Copies that a worker tells of, for tests of how they are shown."""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.test import tflow

from traffic_mirror.compare.model import Difference, SetAside
from traffic_mirror.wire.frames import Shown


def shown(flow_id: str, **changes: object) -> Shown:
    """A delivered copy of a flow whose answer differs at two places."""
    fields: dict[str, object] = {
        "number": 1,
        "id": flow_id,
        "api": "shop",
        "rule": "items",
        "destination": "shadow",
        "method": b"GET",
        "url": "https://shadow.test:8443/base/items/7?x=1",
        "http_version": "HTTP/1.1",
        "headers": ((b"Host", b"shadow.test"), (b"X-Traffic-Mirror", b"true")),
        "outcome": "delivered",
        "reason": "2xx",
        "status": 200,
        "response_headers": ((b"Content-Type", b"application/json"),),
        "began": 1_700_000_000.0,
        "seconds": 0.0123,
        "first_byte": 0.01,
        "verdict": "differ",
        "differences": (
            Difference("body:$.price", "value", 10, 12),
            Difference("header:X-New", "added", None, "1"),
        ),
        "set_aside": (SetAside("body:$.at", "timestamp"), SetAside("body:$.then", "timestamp")),
    }
    return Shown(**{**fields, **changes})  # type: ignore[arg-type]


def primary(body: bytes = b'{"price": 10, "name": "a"}') -> http.HTTPFlow:
    """A flow that the primary answered."""
    flow = tflow.tflow(resp=True)
    assert flow.response is not None
    flow.response.headers = http.Headers(((b"Content-Type", b"application/json"),))
    flow.response.content = body
    return flow


def failed(flow_id: str, **changes: object) -> Shown:
    """A copy that found nobody to take it."""
    nothing = {"status": 0, "verdict": "", "differences": (), "set_aside": (), "response_headers": ()}
    why = {"outcome": "failed", "reason": "connect", "message": "Connection refused"}
    return shown(flow_id, **{**nothing, **why, **changes})
