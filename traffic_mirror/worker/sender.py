"""One destination's connections: sends copies with libcurl and hands back what came of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import pycurl

from traffic_mirror.copies import Copy
from traffic_mirror.copies.request import Fields
from traffic_mirror.spec.model import Destination
from traffic_mirror.worker.curl_options import (
    WITHOUT_HTTP2,
    Option,
    absolute_target,
    connect_options,
    destination_options,
    socket_options,
)
from traffic_mirror.worker.head_bounds import fits_http2, why_unsendable
from traffic_mirror.worker.upload import Feed

if TYPE_CHECKING:
    from traffic_mirror.worker.websocket import Conversation

_SHARE_OF_FILES = 8
_MOST_KEPT = 1024
_LONGEST_LOOKUP = 60.0  # seconds that the system may look for a name, whatever a copy's timeout

Kind = Literal["bare", "head", "body", "upload", "socket", "connect"]

# An empty value keeps libcurl from adding a header of its own; one that the client sent stays.
_NOTHING_ADDED = (b"Accept:",)
_NOTHING_ADDED_TO_A_BODY = (b"Accept:", b"Content-Type:", b"Expect:")
_VERSIONS = {1: "HTTP/1.0", 2: "HTTP/1.1", 3: "HTTP/2.0", 30: "HTTP/3"}
_BLANK = (b"\r\n", b"\n")
# A WebSocket's messages go uncompressed. A body that follows in chunks has no length.
_LEFT_OUT: dict[Kind, tuple[bytes, ...]] = {
    "socket": (b"sec-websocket-extensions", b"content-length"),
    "upload": (b"content-length",),
}


class Sent:
    """What came of a transfer: libcurl's `code` (0 is a whole answer) and message, and the answer's parts.

    `status` is 0 where none arrived, `version` as in `HTTP/1.1`. `body` is empty where it was not asked for,
    None where it is over its bound, which `too_large` tells. `seconds` is from the first attempt to connect
    to the last byte, of a WebSocket to its answer's head; `first_byte` to the first one. `os_error` is the
    system's last error when connecting, `local_port` where a mere connection began, -1 for others.
    """

    __slots__ = (
        "body", "code", "first_byte", "lines", "local_port", "message", "os_error", "seconds", "status",
        "too_large", "version",
    )  # fmt: skip

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message
        self.status = 0
        self.seconds = 0.0
        self.first_byte = 0.0
        self.version = ""
        self.local_port = -1
        self.lines: list[bytes] = []
        self.body: bytes | None = None
        self.too_large = False
        self.os_error = 0

    def fields(self) -> Fields:
        """The final response's header fields, its trailers after them."""
        return parse_head(self.lines)


Done = Callable[[Sent], None]
Opening = Callable[[int, "pycurl.CurlSockAddr"], socket.socket | int]


class Transfer:
    """A libcurl handle, made for one kind of request to one destination and used again and again.

    One that is `once` is set up for its only copy.
    """

    __slots__ = ("_chunks", "_lines", "_room", "curl", "done", "kind", "once")

    def __init__(self, kind: Kind, curl: pycurl.Curl, *, once: bool) -> None:
        self.kind = kind
        self.curl = curl
        self.once = once
        self.done: Done | None = None
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._room = 0
        curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)

    def begin(self, keep: int, done: Done) -> None:
        """Makes ready for the next answer, of whose body up to `keep` bytes are wanted."""
        self.done = done
        self._room = keep
        # `len` takes the bytes and says that all were taken, without a Python call a chunk.
        self.curl.setopt(pycurl.WRITEFUNCTION, self._write if keep else len)

    def converse(self, conversation: Conversation) -> None:
        """Lets `conversation` see the answer's head and all that follows it."""

        def head(line: bytes) -> None:
            self._lines.append(line)
            conversation.head(line)

        self.curl.setopt(pycurl.HEADERFUNCTION, head)
        self.curl.setopt(pycurl.WRITEFUNCTION, conversation.hear)

    def take(self, code: int, message: str) -> Sent:
        """The answer, once libcurl is through with it; the handle forgets it."""
        sent = Sent(code, message)
        sent.status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        whole = pycurl.STARTTRANSFER_TIME if self.kind == "socket" else pycurl.TOTAL_TIME
        sent.seconds = self.curl.getinfo(whole)
        sent.first_byte = self.curl.getinfo(pycurl.STARTTRANSFER_TIME)
        sent.version = _VERSIONS.get(self.curl.getinfo(pycurl.INFO_HTTP_VERSION), "")
        sent.os_error = self.curl.getinfo(pycurl.OS_ERRNO) if code else 0
        if self.kind == "connect":
            sent.local_port = self.curl.getinfo(pycurl.LOCAL_PORT)
        sent.lines = self._lines.copy()
        if code == 0 and self.kind != "connect" and not _is_whole(sent.lines):
            sent.code, sent.message = pycurl.E_PARTIAL_FILE, "the connection closed within the answer's head"
        sent.too_large = self._room < 0 or code == pycurl.E_FILESIZE_EXCEEDED
        if not sent.too_large:
            sent.body = b"".join(self._chunks)
        self._lines.clear()
        self._chunks.clear()
        return sent

    def _write(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room >= 0:
            self._chunks.append(data)
        else:
            self._chunks.clear()


class Sender:
    """Sends copies to one destination over connections that are used again.

    `start` never raises for what a copy holds: a request that libcurl refuses ends as any other.
    """

    def __init__(self, destination: Destination, parent_proxy: str = "") -> None:
        self._options = destination_options(destination, parent_proxy)
        self._connecting = connect_options(destination, parent_proxy)
        self._before_target = absolute_target(destination, parent_proxy)
        self._http_version = destination.http_version
        self._negotiates = destination.http_version == "auto" and destination.scheme == "https"
        self._multi = pycurl.AsyncCurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, min(destination.max_in_flight, _most_kept()))
        self._looking_until = 0.0
        self._idle: dict[Kind, list[Transfer]] = {kind: [] for kind in get_args(Kind)}

    def why_unsendable(self, copy: Copy, *, websocket: bool) -> str:
        """Why libcurl would not send `copy`, whatever the destination does; empty where it would."""
        return why_unsendable(copy, "1.1" if websocket else self._http_version)

    def start(
        self,
        copy: Copy,
        seconds: float,
        keep: int,
        done: Done,
        feed: Feed | None = None,
        conversation: Conversation | None = None,
        *,
        http2: bool = True,
    ) -> Transfer:
        """Begins to send `copy`; `done` is called once, later, unless the transfer is cancelled.

        `seconds` bound it all; for an upload and a WebSocket only the connecting, since the client sets its
        pace. Where HTTP/2 would be negotiated, `http2` may forbid it.
        """
        kind = _kind(copy, feed) if conversation is None else "socket"
        transfer = self._transfer(kind, copy, http2=http2)
        transfer.begin(keep, done)
        try:
            left_out = _LEFT_OUT.get(kind, ()) if feed is None or feed.chunked else ()
            self._prepare(transfer.curl, kind, copy, seconds, left_out)
            if feed is not None:
                feed.attach(transfer.curl)
            if conversation is not None:
                transfer.converse(conversation)
            self._perform(transfer)
        except (pycurl.error, TypeError, ValueError) as error:
            sent = Sent(pycurl.E_UNSUPPORTED_PROTOCOL, f"the request can't be sent: {error}")
            asyncio.get_running_loop().call_soon(self._refuse, transfer, sent)
        return transfer

    def connect(self, seconds: float, opening: Opening, done: Done) -> Transfer:
        """Begins to connect, by whatever proxy, and no more: the connection is one of the sockets that
        `opening` made. All else is as with `start`."""
        transfer = Transfer("connect", self._new_curl("connect"), once=True)
        transfer.begin(0, done)
        transfer.curl.setopt(pycurl.OPENSOCKETFUNCTION, opening)
        transfer.curl.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))
        self._perform(transfer)
        return transfer

    def cancel(self, transfer: Transfer) -> Sent:
        """Ends a transfer that is under way, its connection with it; what had arrived comes back."""
        self._note_lookup(transfer)
        sent = transfer.take(pycurl.E_ABORTED_BY_CALLBACK, "given up")
        transfer.done = None
        with contextlib.suppress(RuntimeError):  # it has ended this very moment, or never began
            self._multi.remove_handle(transfer.curl)
        transfer.curl.close()
        return sent

    @property
    def closable(self) -> bool:
        """Whether closing takes no time: libcurl would wait for the names that it still looks up."""
        return asyncio.get_running_loop().time() >= self._looking_until

    async def close(self) -> None:
        """Closes every connection."""
        await self._multi.aclose()

    def _perform(self, transfer: Transfer) -> None:
        future = self._multi.add_handle(transfer.curl)
        future.add_done_callback(lambda ended: self._ended(transfer, ended))

    def _transfer(self, kind: Kind, copy: Copy, *, http2: bool) -> Transfer:
        if self._negotiates and kind != "socket" and not (http2 and fits_http2(copy)):
            return Transfer(kind, self._new_curl(kind, WITHOUT_HTTP2), once=True)
        idle = self._idle[kind]
        return idle.pop() if idle else Transfer(kind, self._new_curl(kind), once=kind in ("upload", "socket"))

    def _new_curl(self, kind: Kind, more: Sequence[Option] = ()) -> pycurl.Curl:
        curl = pycurl.Curl()
        if kind == "socket":
            more = socket_options(self._options)
        for option, value in (*(self._connecting if kind == "connect" else self._options), *more):
            curl.setopt(option, value)
        if kind == "head":
            curl.setopt(pycurl.NOBODY, 1)
        elif kind == "upload":
            curl.setopt(pycurl.UPLOAD, 1)
        return curl

    def _prepare(
        self, curl: pycurl.Curl, kind: Kind, copy: Copy, seconds: float, left_out: Sequence[bytes]
    ) -> None:
        added = _NOTHING_ADDED if kind in ("bare", "head") else _NOTHING_ADDED_TO_A_BODY
        headers = copy.headers
        if kind == "head" and copy.body:  # libcurl sends none with HEAD, and nothing may announce it then
            headers = tuple(field for field in headers if field[0].lower() != b"content-length")
        lines = [
            b"%b: %b" % field if field[1] and not field[1].isspace() else field[0] + b";"
            for field in headers
            if not left_out or field[0].lower() not in left_out
        ]
        before = b"" if kind == "socket" else self._before_target
        curl.setopt(pycurl.REQUEST_TARGET, before + copy.target)
        curl.setopt(pycurl.HTTPHEADER, [b"Host: " + copy.host, *lines, *added])
        if kind == "body":
            curl.setopt(pycurl.POSTFIELDS, copy.body)
        if kind != "head":
            curl.setopt(pycurl.CUSTOMREQUEST, copy.method)
        milliseconds = max(1, int(seconds * 1000))
        paced = kind in ("upload", "socket")
        curl.setopt(pycurl.CONNECTTIMEOUT_MS if paced else pycurl.TIMEOUT_MS, milliseconds)

    def _note_lookup(self, transfer: Transfer) -> None:
        """The copy has given up on a name; the system has not."""
        if not transfer.curl.getinfo(pycurl.NAMELOOKUP_TIME):
            self._looking_until = asyncio.get_running_loop().time() + _LONGEST_LOOKUP

    def _refuse(self, transfer: Transfer, sent: Sent) -> None:
        done, transfer.done = transfer.done, None
        if done is not None:
            transfer.curl.close()
            done(sent)

    def _ended(self, transfer: Transfer, future: asyncio.Future[pycurl.Curl]) -> None:
        if future.cancelled() or transfer.done is None:
            return
        error = future.exception()
        code, message = (0, "") if error is None else _explain(error)
        if code == pycurl.E_OPERATION_TIMEDOUT:
            self._note_lookup(transfer)
        sent = transfer.take(code, message)
        done, transfer.done = transfer.done, None
        if transfer.once:
            transfer.curl.close()
        else:
            if transfer.kind == "body":
                transfer.curl.setopt(pycurl.POSTFIELDS, b"")  # else an idle handle holds the body
            self._idle[transfer.kind].append(transfer)
        done(sent)


def _most_kept() -> int:
    """How many connections one destination may keep: a share of the files that this process may have."""
    with contextlib.suppress(ImportError, OSError):
        import resource  # noqa: PLC0415 - not there on every platform

        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if soft != resource.RLIM_INFINITY:
            return max(1, soft // _SHARE_OF_FILES)
    return _MOST_KEPT


def parse_head(lines: list[bytes]) -> Fields:
    """The header fields of the last response in `lines`; 1xx and a proxy's answer come before it.

    >>> parse_head([b"HTTP/1.1 100 Continue", b"", b"HTTP/1.1 200 OK", b"A: 1", b""])
    ((b'A', b'1'),)
    """
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if line.startswith(b"HTTP/"):
            fields.clear()
        elif colon:
            fields.append((name, value.strip()))
    return tuple(fields)


def _is_whole(lines: list[bytes]) -> bool:
    """Whether the last head in `lines` has its empty line; libcurl takes one that was cut short for whole."""
    if lines and lines[-1] in _BLANK:
        return True
    for line in reversed(lines):
        if line in _BLANK:
            return True  # what follows it are trailers
        if line.startswith(b"HTTP/"):
            return False
    return False


def _kind(copy: Copy, feed: Feed | None) -> Kind:
    if feed is not None:
        return "upload"
    if copy.method == b"HEAD":
        return "head"
    return "body" if copy.body else "bare"


def _explain(error: BaseException) -> tuple[int, str]:
    if isinstance(error, pycurl.error) and len(error.args) == 2:
        return int(error.args[0]), str(error.args[1])
    return -1, f"{type(error).__name__}: {error}"
