"""One request by HTTP/2 on a connection of its own, trailers and all, and its answer, read within bounds."""

from __future__ import annotations

import asyncio
import contextlib

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import pycurl

from traffic_mirror.copies import Copy
from traffic_mirror.worker.messages import (
    MOST_OF_HEADS,
    Answer,
    OutOfBounds,
    Over,
    head_of,
    in_lower_case,
)
from traffic_mirror.worker.sender import Sent
from traffic_mirror.worker.upload import Feed

_STREAM = 1
_FRAME_HEAD = 9
_GOAWAY = 7
_NOT_MODIFIED = 304
_LARGEST_FRAME = 16384  # we announce no other
_MOST_UNSENT = 1024 * 1024  # what a destination may make us answer without reading it
_PIECE = 64 * 1024
_HTTP2_STREAM = 92  # CURLE_HTTP2_STREAM
_SETTINGS = {
    h2.settings.SettingCodes.ENABLE_PUSH: 0,
    h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: MOST_OF_HEADS,
}


class Exchange(asyncio.Protocol):
    """Sends `copy` with what `feed` has once it may `begin`; `over` is called once, unless it is aborted.

    Up to `keep` bytes of the answer's body are wanted; one of more than `limit` ends it. `began` is the
    loop's time from which the answer's times count.
    """

    def __init__(self, copy: Copy, feed: Feed, keep: int, limit: int, began: float, over: Over) -> None:
        self.agreed: str | None = None
        """The protocol that TLS agreed on."""
        self._copy = copy
        self._feed = feed
        self._answer = Answer("HTTP/2.0", keep, limit, began, over)
        self._transport: asyncio.Transport | None = None
        self._h2 = _new_connection()
        self._received = bytearray()
        self._begun = False
        self._blocked = False
        self._head_sent = False
        self._all_sent = False

    def begin(self) -> None:
        """Sends the request's head, then its body as it comes."""
        self._begun = True
        self._feed.lead_to(self._pump)
        self._pump()

    def abort(self) -> Sent:
        """Ends it at once; what had arrived comes back."""
        if self._transport is not None:
            self._transport.abort()
        return self._answer.give_up()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio has a connection, with TLS where there is any."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        tls = transport.get_extra_info("ssl_object")
        self.agreed = None if tls is None else tls.selected_alpn_protocol()

    def data_received(self, data: bytes) -> None:
        """Takes one frame after the other, so that none is lost for what is wrong with a later one."""
        self._received += data
        try:
            while not self._answer.over and (frame := self._next_frame()):
                if frame[3] == _GOAWAY:
                    self._flush()  # with it h2 forgets what is not sent yet, such as that settings were seen
                for event in self._h2.receive_data(frame):
                    self._note(event)
        except OutOfBounds as error:
            self._end(error.code, str(error))
        except h2.exceptions.InvalidBodyLengthError as error:
            if self._answer.status == _NOT_MODIFIED and not error.actual_length:
                self._end(0, "")  # the length is the one that a 200 would have
            else:
                self._end(pycurl.E_HTTP2, f"not HTTP/2 as it should be: {error}")
        except (h2.exceptions.H2Error, ValueError) as error:
            self._end(pycurl.E_HTTP2, f"not HTTP/2 as it should be: {type(error).__name__}: {error}")
        if self._begun:
            self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, which only matters where the answer is not whole."""
        self._transport = None
        if exc is not None:
            self._end(pycurl.E_RECV_ERROR, str(exc))
        elif self._answer.status:
            self._end(pycurl.E_PARTIAL_FILE, "the connection closed before the answer's end")
        else:
            self._end(pycurl.E_GOT_NOTHING, "the connection closed without an answer")

    def pause_writing(self) -> None:
        """The destination takes no more for now."""
        self._blocked = True

    def resume_writing(self) -> None:
        """It does again."""
        self._blocked = False
        if self._begun:
            self._pump()

    def _next_frame(self) -> bytes:
        if len(self._received) < _FRAME_HEAD:
            return b""
        size = int.from_bytes(self._received[:3])
        if size > _LARGEST_FRAME:  # what is not HTTP/2 looks like one too
            raise h2.exceptions.FrameTooLargeError(f"found a frame of {size} bytes")
        if len(self._received) < _FRAME_HEAD + size:
            return b""
        frame = bytes(self._received[: _FRAME_HEAD + size])
        del self._received[: _FRAME_HEAD + size]
        return frame

    def _pump(self) -> None:
        """Sends as much as the destination's windows and its connection take."""
        try:
            while not self._answer.over and not self._blocked and self._send_next():
                self._flush()
        except h2.exceptions.H2Error as error:
            self._end(pycurl.E_HTTP2, f"{type(error).__name__}: {error}")
        self._flush()

    def _send_next(self) -> bool:
        """Whether there was anything to send."""
        if self._all_sent:
            return False
        if not self._head_sent:
            self._head_sent = True
            self._h2.send_headers(_STREAM, head_of(self._copy))
            return True
        if self._feed.exhausted:
            self._all_sent = True
            if trailers := list(in_lower_case(self._feed.trailers)):
                self._h2.send_headers(_STREAM, trailers, end_stream=True)
            else:
                self._h2.end_stream(_STREAM)
            return True
        window = self._h2.local_flow_control_window(_STREAM)
        room = min(window, self._h2.max_outbound_frame_size, _PIECE)
        data = self._feed.take(room) if room > 0 else None
        if data:
            self._h2.send_data(_STREAM, data)
        return bool(data)

    def _flush(self) -> None:
        if self._transport is None or self._answer.over:
            return
        self._transport.write(self._h2.data_to_send())
        if self._transport.get_write_buffer_size() > _MOST_UNSENT:
            self._end(pycurl.E_HTTP2, "the destination asks for answers and does not read them")

    def _note(self, event: h2.events.Event) -> None:
        """What an event changes; those that are not here change nothing."""
        match event:
            case h2.events.InformationalResponseReceived():
                self._answer.note_head(event.headers, final=False)
            case h2.events.ResponseReceived():
                self._answer.note_head(event.headers, final=True)
            case h2.events.TrailersReceived():
                self._answer.note_fields(event.headers)
            case h2.events.DataReceived():
                self._note_data(event)
            case h2.events.StreamEnded():
                self._end(0, "")
            case h2.events.StreamReset():
                self._note_reset(event)
            case h2.events.ConnectionTerminated():
                self._note_goodbye(event)

    def _note_data(self, event: h2.events.DataReceived) -> None:
        self._h2.acknowledge_received_data(event.flow_controlled_length, _STREAM)
        self._answer.note_data(event.data)

    def _note_reset(self, event: h2.events.StreamReset) -> None:
        """With NO_ERROR it only wants no more of the request; some leave out to end their answer first."""
        if event.error_code != h2.errors.ErrorCodes.NO_ERROR or not self._answer.status:
            self._end(_HTTP2_STREAM, f"the destination reset the stream: {_named(event.error_code)}")
        elif lacking := self._answer.lacking:
            self._end(pycurl.E_PARTIAL_FILE, f"the answer ended with {lacking} bytes missing")
        else:
            self._end(0, "")

    def _note_goodbye(self, event: h2.events.ConnectionTerminated) -> None:
        if event.error_code or not event.last_stream_id:
            self._end(pycurl.E_HTTP2, f"the destination went away: {_named(event.error_code)}")
        # It takes no more requests, but this one it answers (RFC 9113, section 6.8); to h2 all is over.
        self._h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN

    def _end(self, code: int, message: str) -> None:
        """Ends it, well where `code` is 0, and the connection with it."""
        if self._answer.end(code, message) and self._transport is not None:
            self._part(self._transport, whole=not code)

    def _part(self, transport: asyncio.Transport, *, whole: bool) -> None:
        """Closes the connection as it should be, where that takes no time."""
        if not whole or transport.get_write_buffer_size():
            transport.abort()
            return
        with contextlib.suppress(h2.exceptions.H2Error):
            if not self._all_sent:
                self._h2.reset_stream(_STREAM, h2.errors.ErrorCodes.CANCEL)
            self._h2.close_connection()
        transport.write(self._h2.data_to_send())
        transport.close()


def _new_connection() -> h2.connection.H2Connection:
    """What is sent is as it is; what comes must be HTTP/2, of whose fields the answer judges for itself."""
    connection = h2.connection.H2Connection(
        h2.config.H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
    )
    connection.local_settings = h2.settings.Settings(client=True, initial_values=_SETTINGS)
    connection.decoder.max_header_list_size = MOST_OF_HEADS
    connection.initiate_connection()
    return connection


def _named(code: int | None) -> str:
    return code.name if isinstance(code, h2.errors.ErrorCodes) else f"error {code}"
