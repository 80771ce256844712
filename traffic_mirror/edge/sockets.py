"""WebSockets: mirrored once the primary has accepted them, message by message."""

from __future__ import annotations

from collections.abc import Callable

from mitmproxy import http

from traffic_mirror.edge.link import Link
from traffic_mirror.edge.taken import Taken
from traffic_mirror.wire.frames import BROKEN, Socket

_NO_STATUS = 1005  # RFC 6455, section 7.4.1: closed without a code


class Sockets:
    """Upgrades that the primary has not answered yet, and WebSockets that are mirrored."""

    def __init__(self, link: Link, mirror: Callable[[Taken], bool]) -> None:
        self._link = link
        self._mirror = mirror
        self._asked: dict[str, Taken] = {}
        self._open: set[str] = set()

    def ask(self, taken: Taken) -> None:
        """A client asks for a WebSocket; whether it gets one is the primary's to say."""
        self._asked[taken.request.id] = taken

    def refused(self, flow: http.HTTPFlow) -> Taken | None:
        """What was asked for, if mitmproxy makes no WebSocket of the primary's answer, a 101 or not."""
        return None if flow.websocket is not None else self._asked.pop(flow.id, None)

    def accepted(self, flow: http.HTTPFlow) -> Taken | None:
        """What was asked for, now that it is there."""
        return self._asked.pop(flow.id, None)

    def start(self, taken: Taken) -> None:
        """Mirrors a WebSocket from now on."""
        if self._mirror(taken):
            self._open.add(taken.request.id)

    def pass_on(self, flow: http.HTTPFlow) -> None:
        """Hands on a message of the client's; without room for it the mirrored one breaks off."""
        if flow.id not in self._open or flow.websocket is None:
            return
        message = flow.websocket.messages[-1]
        if message.from_client and self._link.offer(Socket(flow.id, message.is_text), message.content):
            self._open.discard(flow.id)
            self._link.send(Socket(flow.id, close=BROKEN, reason="edge_full"))

    def end(self, flow: http.HTTPFlow) -> None:
        """Closes the mirrored WebSocket as the original was."""
        if flow.id in self._open and flow.websocket is not None:
            self._open.discard(flow.id)
            code, reason = flow.websocket.close_code, flow.websocket.close_reason
            self._link.send(Socket(flow.id, close=code or _NO_STATUS, reason=reason or ""))

    def forget(self) -> None:
        """The worker is gone, and with it the mirrored ones."""
        self._open.clear()
