"""The tee: shows a streamed request's body, piece by piece, to whoever mirrors it.

mitmproxy decides late that it streams: by the announced length, in mid-body, or because another addon
set `request.stream`. So the request's class is swapped for one whose `stream` property puts the tee
around whatever is there, at the moment mitmproxy reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mitmproxy import http

Stream = Callable[[bytes], Iterable[bytes] | bytes] | bool
Sink = Callable[[bytes], None]


class TeedRequest(http.Request):
    """A request that passes each piece of a streamed body, as the client sent it, to a sink.

    The sink gets `b""` once, at the end. Only requests that `tee_stream` made carry one.
    """

    _tee_sink: Sink | None = None
    _tee: _Tee | Stream = False

    @property
    def stream(self) -> Stream:
        """What mitmproxy calls for each piece, or False while nothing is streamed."""
        return self._tee

    @stream.setter
    def stream(self, value: Stream) -> None:
        if isinstance(self._tee, _Tee):
            self._tee.retire()
        self._tee = _Tee(self._tee_sink, value) if value and self._tee_sink is not None else value


class _Tee:
    """A tee around one value of `stream`.

    An addon may put a function of its own around it: it is then within the next tee, and shows nothing.
    """

    __slots__ = ("_inner", "_sink")

    def __init__(self, sink: Sink, inner: Stream) -> None:
        self._sink: Sink | None = sink
        self._inner = inner

    def __call__(self, piece: bytes) -> Iterable[bytes] | bytes:
        if self._sink is not None:
            self._sink(piece)
        return self._inner(piece) if callable(self._inner) else piece

    def retire(self) -> None:
        self._sink = None


def tee_stream(request: http.Request, sink: Sink) -> None:
    """Lets `sink` see the body of `request` if it comes to be streamed."""
    was = request.stream
    request.__dict__.pop("stream", None)
    request.__class__ = TeedRequest
    assert isinstance(request, TeedRequest)
    request._tee_sink = sink  # noqa: SLF001 - the class is this module's
    request.stream = was


def sink_of(request: http.Request) -> Sink | None:
    """What sees the body of `request`; None where none was asked to."""
    return request._tee_sink if isinstance(request, TeedRequest) else None  # noqa: SLF001 - as above


def may_have_body(request: http.RequestData) -> bool:
    """Whether a body may follow (RFC 9112, section 6.3); HTTP/2 and 3 need not announce it, a GET should."""
    if request.method == b"HEAD":
        return False  # what follows means nothing and is not copied (RFC 9110, section 9.3.2)
    if request.http_version in (b"HTTP/2.0", b"HTTP/3") and request.method != b"GET":
        return True
    for name, _ in request.headers.fields:
        if len(name) in (14, 17) and name.lower() in (b"content-length", b"transfer-encoding"):
            return True
    return False
