"""Bodies that pass: streamed requests, handed to the worker piece by piece while they go to the primary."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mitmproxy import http

from traffic_mirror.edge.link import Link
from traffic_mirror.edge.tee import may_have_body, sink_of, tee_stream
from traffic_mirror.wire.frames import Chunk, ChunkEnd

MAX_WAITING = 32 * 1024 * 1024  # bytes that wait for the worker before a piece finds no room

STANDSTILL = 3.0  # seconds without a piece after which the body of an answered request is given up

logger = logging.getLogger("traffic_mirror")

Begin = Callable[[http.HTTPFlow], bool]
Miss = Callable[[http.HTTPFlow, str], None]


class Bodies:
    """The requests whose bodies pass now.

    `begin` mirrors a request without its body; False: not at all. `miss` hears of a request that was to be
    streamed and of whose body nothing ever came, and why.
    """

    def __init__(self, link: Link, begin: Begin, miss: Miss) -> None:
        self._link = link
        self._begin = begin
        self._miss = miss
        self._passing: dict[str, _Body] = {}

    def watch(self, flow: http.HTTPFlow) -> None:
        """Makes ready for a body that may come to be streamed."""
        if may_have_body(flow.request.data):
            tee_stream(flow.request, _Body(self, flow))

    def finish(self, flow: http.HTTPFlow) -> bool:
        """Whether the request's body has passed, so that there is nothing left to do."""
        if not self._passing and sink_of(flow.request) is None:
            return False
        if body := _awaited(flow):
            body.forget()
        return self._passing.pop(flow.id, None) is not None

    def abort(self, flow: http.HTTPFlow) -> None:
        """The client gave up, or was given up; or the primary can't be reached."""
        body = self._passing.pop(flow.id, None)
        if body is not None:
            body.abort("client_gone")
        elif body := _awaited(flow):
            body.forget()
            if flow.request.stream:
                self._miss(flow, "primary_failed" if _is_the_primarys(flow) else "client_gone")

    def answered(self, flow: http.HTTPFlow) -> None:
        """The primary has answered. Its client may now say no more, and of that no hook tells."""
        body = self._passing.get(flow.id) or _awaited(flow)
        if body is not None:
            asyncio.get_running_loop().call_later(STANDSTILL, self._look, body, flow, body.pieces)

    def _look(self, body: _Body, flow: http.HTTPFlow, before: int) -> None:
        """Gives up a body that stood still since the last look."""
        if (self._passing.get(flow.id) or _awaited(flow)) is not body:
            return
        if body.pieces == before:
            self.abort(flow)
        else:
            self.answered(flow)

    def begin(self, body: _Body, flow: http.HTTPFlow) -> bool:
        """The first piece is here."""
        self._passing[flow.id] = body
        return self._begin(flow)

    def pass_on(self, flow: http.HTTPFlow, piece: bytes) -> bool:
        """Hands on a piece; False when there is no room for it."""
        return self._link.backlog < MAX_WAITING and self._link.offer(Chunk(flow.id), piece) == ""

    def end(self, flow: http.HTTPFlow, aborted: str = "") -> None:
        """The body is whole, or `aborted` is why it never will be."""
        trailers = flow.request.data.trailers
        self._link.send(ChunkEnd(flow.id, aborted, trailers.fields if trailers else ()))


def _is_the_primarys(flow: http.HTTPFlow) -> bool:
    """Whether it was the primary that failed: the client is still there, and a connection to it is not."""
    return flow.error is not None and flow.client_conn.connected and not flow.server_conn.connected


def _awaited(flow: http.HTTPFlow) -> _Body | None:
    """The body of a request of which no piece has come yet."""
    body = sink_of(flow.request)
    return body if isinstance(body, _Body) and not body.begun else None


class _Body:
    """One body; what mitmproxy calls with each piece, and with none at the end."""

    __slots__ = ("_bodies", "_flow", "_open", "begun", "pieces")

    def __init__(self, bodies: Bodies, flow: http.HTTPFlow) -> None:
        self._bodies = bodies
        self._flow = flow
        self.begun = False
        self._open = False
        self.pieces = 0

    def __call__(self, piece: bytes) -> None:
        """Never raises: mitmproxy calls this in the midst of a client's request, not as a hook."""
        self.pieces += 1
        try:
            self._take(piece)
        except Exception:
            logger.exception("mirror: a body that passes can't be mirrored")
            self.abort("internal")

    def _take(self, piece: bytes) -> None:
        if not self.begun:
            self.begun = True
            self._open = self._bodies.begin(self, self._flow)
        if not self._open:
            return
        if not piece:
            self._open = False
            self._bodies.end(self._flow)
        elif not self._bodies.pass_on(self._flow, piece):
            self.abort("edge_full")

    def forget(self) -> None:
        """Whatever comes now is not mirrored as a stream."""
        self.begun = True

    def abort(self, reason: str) -> None:
        if self._open:
            self._open = False
            self._bodies.end(self._flow, reason)
