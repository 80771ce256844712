"""A conversation: one copy of a WebSocket, its frames made here and sent as bytes by libcurl."""

from __future__ import annotations

from collections.abc import Callable

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import ProtocolError

from traffic_mirror.worker.upload import Feed

_NO_STATUS = 1005  # RFC 6455, section 7.4.1: a close without a code, never sent
_NEVER_SENT = frozenset((1004, 1006, 1015))  # the connection broke off
_STOP = -1  # what makes libcurl give up, from a WRITEFUNCTION
_SWITCHING = b"101"


class Conversation:
    """One copy of a WebSocket: the client's messages in order, and what the protocol wants of us.

    Messages wait in `feed`, whose bound is theirs. What the destination says is read and forgotten, but its
    pings are answered. Its close is answered once the client has closed too: until then a further message
    would be lost. `listen` is called at most once each with `opened` (the upgrade was accepted) and `left`
    (the destination has closed first).
    """

    __slots__ = ("_ended", "_feed", "_frames", "_listen", "error", "left", "opened", "switching")

    def __init__(self, feed: Feed) -> None:
        self.opened = False
        self.switching = False
        self.left = ""  # how the destination has closed, before the client did
        self.error = ""
        self._feed = feed
        self._frames = Connection(ConnectionType.CLIENT)
        self._ended = False
        self._listen: Callable[[str], None] = lambda _: None

    @property
    def ended(self) -> bool:
        """Whether the client's side is over."""
        return self._ended

    @property
    def through(self) -> bool:
        """Whether all that the client said has been sent, to its end."""
        return self._ended and not self._feed.held

    def begin(self, listen: Callable[[str], None]) -> None:
        """The copy is being sent; `listen` hears how it goes."""
        self._listen = listen

    def say(self, message: bytes, *, text: bool) -> bool:
        """Sends a message; False when it is over the bound, and the copy has to be given up."""
        event = TextMessage(message.decode("utf-8", "replace")) if text else BytesMessage(message)
        return self._feed.push(self._frames.send(event))

    def close(self, code: int, reason: str) -> None:
        """Ends the copy as the client's conversation ended: with a close, or by breaking off."""
        self._ended = True
        if code in _NEVER_SENT:
            self._feed.break_off()
            return
        closing = CloseConnection(code=code)
        if code == _NO_STATUS:
            closing = CloseConnection(code=None)  # type: ignore[arg-type]  # an int is all it is typed for
        elif reason:
            closing = CloseConnection(code=code, reason=reason)
        self._feed.push(self._frames.send(closing), beyond=True)
        if self.left:
            self._feed.end()

    def head(self, line: bytes) -> None:
        """Takes a line of the response's head."""
        if line.startswith(b"HTTP/"):
            self.switching = line.split(b" ", 2)[1:2] == [_SWITCHING]
        elif self.switching and not self.opened and line in (b"\r\n", b"\n"):
            self.opened = True
            self._listen("opened")

    def hear(self, data: bytes) -> int:
        """Takes what the destination sends; how much libcurl should think was taken."""
        if not self.opened or self._frames.state is ConnectionState.CLOSED:
            return len(data)
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                if isinstance(event, Ping) and self._frames.state is ConnectionState.OPEN:
                    self._feed.push(self._frames.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self._hear_close(event)
        except ProtocolError as error:
            self.error = str(error)
        return _STOP if self.error else len(data)

    def _hear_close(self, event: CloseConnection) -> None:
        if self._frames.state is ConnectionState.CLOSED:
            self._feed.end()
            return
        if self._frames.state is not ConnectionState.REMOTE_CLOSING:
            self.error = f"the destination sent what is no WebSocket frame: {event.reason}"
            return
        self.left = f"{event.code} {event.reason or ''}".strip()
        self._listen("left")
