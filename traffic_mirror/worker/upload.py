"""Bodies that are uploaded while the client still sends them: a feed per copy, each with its bound."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pycurl

from traffic_mirror.copies.request import Fields
from traffic_mirror.wire.frames import ChunkEnd

if TYPE_CHECKING:
    from traffic_mirror.worker.errand import Errand

# What libcurl sends in one turn of the loop: what a turn may bring, or destinations seem slow that are not.
_AT_ONCE = 512 * 1024


class Room:
    """What all feeds of one destination may hold together, in bytes."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0


class Feed:
    """The part of a streamed body that one copy has not sent yet, `limit` bytes at most.

    It shares `room` with the destination's other feeds, and has at least one piece's to itself.
    Who sends it, mostly libcurl, asks for bytes and is paused while there are none; what comes after wakes
    it. `size` is the whole body's length where the client said it; `trailers` are there once it has ended,
    and none will be unless it `may_trail`.
    """

    __slots__ = (
        "_breaks_off",
        "_ended",
        "_held",
        "_limit",
        "_paused",
        "_pieces",
        "_room",
        "_size",
        "_wanted",
        "may_trail",
        "trailers",
    )

    def __init__(
        self, limit: int, size: int | None, room: Room | None = None, *, may_trail: bool = True
    ) -> None:
        self._room = room or Room(limit)
        self._limit = limit
        self._size = size
        self._pieces: deque[memoryview] = deque()
        self._held = 0
        self._ended = False
        self._breaks_off = False
        self._paused = False
        self.may_trail = may_trail
        self.trailers: Fields = ()
        self._wanted: Callable[[], object] | None = None

    @property
    def ended(self) -> bool:
        """Whether the client has sent all of the body."""
        return self._ended

    @property
    def chunked(self) -> bool:
        """Whether the body's length is not known before its end."""
        return self._size is None

    @property
    def held(self) -> int:
        """Bytes that were not taken yet."""
        return self._held

    @property
    def exhausted(self) -> bool:
        """Whether the client has sent all of the body, and all of it was taken."""
        return self._ended and not self._pieces

    def attach(self, curl: pycurl.Curl) -> None:
        """Makes `curl` take its request's body from here."""
        self.lead_to(partial(curl.pause, pycurl.PAUSE_CONT))
        curl.setopt(pycurl.READFUNCTION, self._read)
        curl.setopt(pycurl.UPLOAD_BUFFERSIZE, _AT_ONCE)
        curl.setopt(pycurl.INFILESIZE_LARGE, -1 if self._size is None else self._size)
        if self._size is None:
            curl.setopt(pycurl.TRAILERFUNCTION, self._give_trailers)

    def lead_to(self, wanted: Callable[[], object]) -> None:
        """Calls `wanted` when there is more, after a `take` that found nothing."""
        self._wanted = wanted

    def take(self, size: int) -> bytes | None:
        """The next bytes, `size` at most: None while there are none, empty at the end."""
        if not self._pieces:
            self._paused = not self._ended
            return b"" if self._ended else None
        parts, room = [], size
        while self._pieces and room:
            piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            parts.append(piece)
            room -= len(piece)
        self._hold(room - size)
        return b"".join(parts)

    def push(self, data: bytes, *, beyond: bool = False) -> bool:
        """Takes the next piece; False when it is over the limit, and the copy has to be given up.

        `beyond` is for the few last bytes, which are always taken.
        """
        if not beyond and not self._has_room(len(data)):
            return False
        if data:
            self._pieces.append(memoryview(data))
            self._hold(len(data))
            self._wake()
        return True

    def end(self, trailers: Fields = ()) -> None:
        """The body is complete."""
        self._ended = True
        self.trailers = trailers
        self._wake()

    def break_off(self) -> None:
        """What is held is still sent; then the connection closes, as if the client had gone."""
        self._breaks_off = True
        self._wake()

    def detach(self) -> None:
        """The copy is over, and what is held is let go."""
        self._wanted = None
        self._pieces.clear()
        self._hold(-self._held)

    def _has_room(self, size: int) -> bool:
        if self._held + size > self._limit:
            return False
        return not self._held or self._room.held + size <= self._room.limit

    def _hold(self, size: int) -> None:
        self._held += size
        self._room.held += size

    def _wake(self) -> None:
        if self._paused and self._wanted is not None:
            self._paused = False
            with contextlib.suppress(pycurl.error):  # it has ended this very moment, which is told next
                self._wanted()

    def _read(self, size: int) -> bytes | int:
        if self._breaks_off and not self._pieces:
            return pycurl.READFUNC_ABORT
        data = self.take(size)
        return pycurl.READFUNC_PAUSE if data is None else data

    def _give_trailers(self) -> list[bytes]:
        return [name + b": " + value for name, value in self.trailers]


def whole_feed(body: bytes, trailers: Fields) -> Feed:
    """A feed that has all of a body already, so that trailers can follow it."""
    feed = Feed(len(body), None)
    feed.push(body)
    feed.end(trailers)
    return feed


class Uploads:
    """The copies of streamed bodies that still want more, by their flow's id."""

    def __init__(self) -> None:
        self._flows: dict[str, dict[Errand, Feed]] = {}

    def add(self, errand: Errand) -> None:
        """Gives a copy its feed."""
        request, lane = errand.case.request, errand.route.lane
        errand.feed = Feed(
            lane.destination.stream_buffer,
            declared_size(request.headers),
            lane.room,
            may_trail=request.multiplexed,
        )
        self._flows.setdefault(request.id, {})[errand] = errand.feed

    def push(self, flow: str, data: bytes) -> list[Errand]:
        """Feeds a piece to every copy of a flow; those that have no room for it come back."""
        return [errand for errand, feed in self._flows.get(flow, {}).items() if not feed.push(data)]

    def end(self, frame: ChunkEnd) -> list[Errand]:
        """Ends a flow's feeds, unless it was aborted; its copies come back."""
        feeds = self._flows.pop(frame.id, {})
        if not frame.aborted:
            for errand, feed in feeds.items():
                feed.end(errand.route.plan.trailers(frame.trailers))
        return list(feeds)

    def forget(self, errand: Errand) -> None:
        """A copy has ended."""
        flow = errand.case.request.id
        feeds = self._flows.get(flow, {})
        feeds.pop(errand, None)
        if not feeds:
            self._flows.pop(flow, None)

    def give_up(self) -> list[Errand]:
        """No more pieces will come; the copies that wanted them come back."""
        flows, self._flows = self._flows, {}
        return [errand for feeds in flows.values() for errand in feeds]


def declared_size(headers: Fields) -> int | None:
    """The Content-Length in `headers`; None where there is none, or Transfer-Encoding too.

    RFC 9112, section 6.3: of the two, Transfer-Encoding is the true one.
    """
    size = None
    for name, value in headers:
        lower = name.lower()
        if lower == b"transfer-encoding":
            return None
        if lower == b"content-length" and size is None and value.isdigit():
            size = int(value)
    return size
