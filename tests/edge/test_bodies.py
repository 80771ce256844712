"""Bodies that pass: whatever goes wrong with mirroring one, the client's pieces go on."""

from __future__ import annotations

import asyncio

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from traffic_mirror.edge.bodies import Bodies
from traffic_mirror.edge.link import Link


class Owner:
    """Hears nothing: no worker is ever started."""

    def make_setup(self) -> None: ...
    def on_frame(self, frame: object, body: bytes) -> None: ...
    def on_lost(self) -> None: ...


def test_an_error_of_ours_is_logged_and_the_pieces_go_on(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: http.HTTPFlow) -> bool:
        raise RuntimeError("a bug")

    loop = asyncio.new_event_loop()
    try:
        bodies = Bodies(Link(Owner(), loop), fail, lambda *_: None)  # type: ignore[arg-type]  # asked for nothing
        flow = tflow.tflow()
        bodies.watch(flow)
        flow.request.stream = True
        stream = flow.request.stream
        assert callable(stream)
        assert [stream(piece) for piece in (b"a", b"b", b"")] == [b"a", b"b", b""]
        assert [record.exc_text for record in caplog.records if "a bug" in (record.exc_text or "")]
    finally:
        loop.close()
