"""Failed copies, kept: a flow file of the requests whose copies failed or were dropped, to send again.

Each flow in it stands for one copy and names its destination in its metadata, so that sending the file
again (`mitmdump -nr FILE --set mirror_offline=true`) goes only where it failed. A thread of its own
builds and writes them, each in one piece; what it can't take in time, or what the file's bound leaves no
room for, is counted and said once.
"""

from __future__ import annotations

import io
import logging
import os
import threading
from collections import deque
from pathlib import Path
from typing import NamedTuple

from mitmproxy import connection, http
from mitmproxy.io import FlowWriter

from traffic_mirror.copies.request import FrozenRequest

logger = logging.getLogger("traffic_mirror")

DESTINATION = "mirror.failed"  # the metadata key: the destination that did not get it
MAX_BYTES = 64 * 1024 * 1024

_MAX_WAITING = 1000
_MAX_WAITING_BYTES = 32 * 1024 * 1024
_PATIENCE = 5.0  # seconds that a stop waits for the disk
_KEPT = frozenset(("failed", "dropped"))


class Kept(NamedTuple):
    """A copy that may have to be sent again."""

    request: FrozenRequest
    body: bytes
    destination: str


class FailedCopies:
    """Remembers the requests of copies under way, and writes those that did not arrive."""

    def __init__(self, file: Path, max_bytes: int = MAX_BYTES) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._under_way: dict[int, Kept] = {}
        self._waiting: deque[Kept] = deque()
        self._bytes = 0
        self._left_out = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="traffic mirror: failed", daemon=True)
        self._thread.start()

    def remember(self, number: int, kept: Kept) -> None:
        """Keeps a copy's request until its end is known."""
        self._under_way[number] = kept

    def settle(self, number: int, outcome: str) -> None:
        """A copy ended: it is written if it did not arrive."""
        kept = self._under_way.pop(number, None)
        if kept is not None and outcome in _KEPT:
            self.keep(kept)

    def settle_all(self) -> None:
        """Nothing more will be heard of the copies under way: all are written."""
        under_way, self._under_way = self._under_way, {}
        for kept in under_way.values():
            self.keep(kept)

    def keep(self, kept: Kept) -> None:
        """Hands a copy to the writer; one it has no room for is counted."""
        with self._changed:
            room = len(self._waiting) < _MAX_WAITING and self._bytes + len(kept.body) <= _MAX_WAITING_BYTES
            if room or not self._waiting:
                self._waiting.append(kept)
                self._bytes += len(kept.body)
                self._changed.notify()
                return
        self._leave_out("they come faster than they can be written")

    def close(self) -> None:
        """Writes what waits, and says how many were left out. Waits for the disk, though not for ever."""
        self.settle_all()
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(_PATIENCE)
        left_out = self._left_out + len(self._waiting)
        if left_out:
            logger.warning("mirror: %s: %d failed copies were left out in all", self._file, left_out)

    def _leave_out(self, why: str) -> None:
        self._left_out += 1
        if self._left_out == 1:
            logger.warning("mirror: %s: a failed copy can't be kept: %s", self._file, why)

    def _write_all(self) -> None:
        while (kept := self._next()) is not None:
            try:
                self._write(_serialized(_make_flow(kept)))
            except OSError as error:
                self._leave_out(error.strerror or str(error))
            except Exception:
                logger.exception("mirror: a failed copy can't be kept")
                self._left_out += 1

    def _next(self) -> Kept | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            kept = self._waiting.popleft()
            self._bytes -= len(kept.body)
            return kept

    def _write(self, data: bytes) -> None:
        """Appends a flow, all or nothing. It is opened anew each time, since it may be moved away."""
        with open(self._file, "ab", buffering=0, opener=_only_for_us) as file:
            before = file.seek(0, os.SEEK_END)
            if before + len(data) > self._max_bytes:
                self._leave_out(f"the file holds {self._max_bytes} bytes, its bound")
                return
            if file.write(data) != len(data):
                file.truncate(before)
                self._leave_out("the disk is full")


def _only_for_us(path: str, flags: int) -> int:
    """Requests hold what their clients sent, secrets included."""
    return os.open(path, flags, 0o600)


def _serialized(flow: http.HTTPFlow) -> bytes:
    buffer = io.BytesIO()
    FlowWriter(buffer).add(flow)
    return buffer.getvalue()


def _make_flow(kept: Kept) -> http.HTTPFlow:
    request = kept.request
    client = connection.Client(
        peername=(request.client or "127.0.0.1", 0), sockname=("", 0), timestamp_start=request.time
    )
    flow = http.HTTPFlow(client, connection.Server(address=(request.host, request.port)))
    flow.request = http.Request(
        host=request.host,
        port=request.port,
        method=request.method,
        scheme=request.scheme.encode("ascii"),
        authority=b"",
        path=request.target,
        http_version=request.http_version.encode("ascii"),
        headers=http.Headers(_with_host(request)),
        content=kept.body,
        trailers=http.Headers(request.trailers) if request.trailers else None,
        timestamp_start=request.time,
        timestamp_end=request.time,
    )
    flow.timestamp_created = request.time
    flow.comment = f"a copy that {kept.destination} did not get"
    flow.metadata[DESTINATION] = kept.destination
    return flow


def _with_host(request: FrozenRequest) -> tuple[tuple[bytes, bytes], ...]:
    if any(name.lower() == b"host" for name, _ in request.headers) or not request.authority:
        return request.headers
    return ((b"Host", request.authority), *request.headers)
