"""One request by HTTP/3 on a connection of its own, trailers and all, and its answer, read within bounds."""

from __future__ import annotations

import pycurl
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamDataReceived, StreamReset

from traffic_mirror.copies import Copy
from traffic_mirror.worker.http3 import (
    Data,
    Head,
    Reader,
    Trailers,
    control_stream,
    data_frame,
    headers_frame,
)
from traffic_mirror.worker.messages import Answer, OutOfBounds, Over, head_of, in_lower_case
from traffic_mirror.worker.places import Unconnected
from traffic_mirror.worker.quic import HTTP3_ERROR, Line
from traffic_mirror.worker.sender import Sent
from traffic_mirror.worker.upload import Feed

_STREAM, _CONTROL = 0, 2
_PIECE = 64 * 1024
# aioquic takes whatever it is given, and sends it all in one turn of the loop where congestion allows.
_MOST_UNACKNOWLEDGED = 256 * 1024


class Exchange3:
    """Sends `copy` with what `feed` has on `line` once it may `begin`; all else is as with `Exchange`."""

    def __init__(
        self, line: Line, copy: Copy, feed: Feed, keep: int, limit: int, began: float, over: Over
    ) -> None:
        self._line = line
        self._copy = copy
        self._feed = feed
        self._answer = Answer("HTTP/3", keep, limit, began, over)
        self._reader = Reader(bodiless=copy.method == b"HEAD")
        self._all_sent = False

    def begin(self) -> None:
        """Sends the request's head, then its body as it comes."""
        self._feed.lead_to(self._line.flush)
        quic = self._line.quic
        quic.send_stream_data(_CONTROL, control_stream())
        quic.send_stream_data(_STREAM, headers_frame(head_of(self._copy)))
        self._line.lead_to(self._note, self._fill, self._lose)
        self._line.flush()

    def abort(self) -> Sent:
        """Ends it at once; what had arrived comes back."""
        self._line.close(well=False)
        return self._answer.give_up()

    def _fill(self) -> None:
        """Hands on as much as may be on its way."""
        while not self._answer.over and self._hand_on():
            pass

    def _hand_on(self) -> bool:
        """Whether there was anything to send."""
        if self._all_sent:
            return False
        quic = self._line.quic
        if self._feed.exhausted:
            self._all_sent = True
            trailers = list(in_lower_case(self._feed.trailers))
            last = headers_frame(trailers) if trailers else b""
            quic.send_stream_data(_STREAM, last, end_stream=True)
            return True
        room = min(_PIECE, _MOST_UNACKNOWLEDGED - quic.unacknowledged(_STREAM))
        data = self._feed.take(room) if room > 0 else None
        if data:
            quic.send_stream_data(_STREAM, data_frame(data))
        return bool(data)

    def _note(self, event: QuicEvent) -> None:
        """What an event changes; those that are not here, and those of other streams, change nothing."""
        match event:
            case StreamDataReceived(stream_id=0):
                self._note_data(event.data, ended=event.end_stream)
            case StreamReset(stream_id=0):
                self._end(HTTP3_ERROR, f"the destination reset the stream: error {event.error_code:#x}")
            case StopSendingReceived(stream_id=0):  # its answer may still come (RFC 9114, section 4.1)
                self._all_sent = True

    def _note_data(self, data: bytes, *, ended: bool) -> None:
        try:
            for part in self._reader.read(data):
                match part:
                    case Head():
                        self._answer.note_head(part.fields, final=part.final)
                    case Data():
                        self._answer.note_data(part.data)
                    case Trailers():
                        self._answer.note_fields(part.fields)
            if ended:
                self._reader.end()
                self._end(0, "")
        except OutOfBounds as error:
            self._end(error.code, str(error))
        except ValueError as error:
            self._end(HTTP3_ERROR, f"not HTTP/3 as it should be: {error}")

    def _lose(self, why: Unconnected) -> None:
        if why.code == pycurl.E_GOT_NOTHING and self._answer.status:
            self._end(pycurl.E_PARTIAL_FILE, "the connection closed before the answer's end")
        else:
            self._end(why.code, str(why))

    def _end(self, code: int, message: str) -> None:
        """Ends it, well where `code` is 0, and the connection with it."""
        if self._answer.end(code, message):
            self._line.close(well=not code)
