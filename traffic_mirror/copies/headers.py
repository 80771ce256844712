"""Header fields: which of a request's never travel, and which are set, masked or made anew in a copy."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from traffic_mirror.copies.request import Fields

MASK = b"***"
_MAX_LEARNED = 512

# RFC 9110, section 7.6.1, and what HTTP/1.1 clients and proxies say to the next hop only.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
        b"http2-settings",
    )
)
_CREDENTIALS = frozenset((b"proxy-authorization",))
_CREDENTIALS_LENGTH = len(b"proxy-authorization")
_FORBIDDEN = bytes(range(0x21)) + b":\x7f"


class Action(Enum):
    """What becomes of a field of the client's."""

    KEEP = "keep"
    DROP = "drop"
    MASK = "mask"
    SET = "set"
    LENGTH = "length"
    CONNECTION = "connection"
    TE = "te"
    TRANSFER_ENCODING = "transfer-encoding"
    TRAILER = "trailer"
    COOKIE = "cookie"
    TRACEPARENT = "traceparent"


class Actions(dict[bytes, Action]):
    """The action for each field name as it is written, found out once per name and then remembered."""

    def __init__(self, by_lower: dict[bytes, Action]) -> None:
        super().__init__()
        self._by_lower = by_lower

    def __missing__(self, name: bytes) -> Action:
        action = self._find(name)
        if len(self) < _MAX_LEARNED:
            self[name] = action
        return action

    def _find(self, name: bytes) -> Action:
        if name[:1] == b":":
            return Action.DROP  # HTTP/2's pseudo-header fields
        if not name or name.translate(None, _FORBIDDEN) != name:
            raise ValueError(
                f"found {name[:60]!r} as a header's name, expected no space, colon or control in it"
            )
        return self._by_lower.get(name.lower(), Action.KEEP)


def without_credentials(fields: Fields) -> Fields:
    """The fields without the client's credentials for the proxy; the same tuple where there are none."""
    for name, _ in fields:
        if len(name) == _CREDENTIALS_LENGTH and name.lower() in _CREDENTIALS:
            return tuple(field for field in fields if field[0].lower() not in _CREDENTIALS)
    return fields


def listed_names(connection: bytes) -> Iterable[bytes]:
    """The field names that a Connection field lists, in lower case."""
    return (name.strip() for name in connection.lower().split(b","))


def check_text(parts: Iterable[bytes]) -> int:
    """How many bytes the parts hold.

    Raises ValueError for a line's end or NUL among them, which would end up as something else.
    """
    text = b"".join(parts)
    if b"\r" in text or b"\n" in text or b"\0" in text:
        raise ValueError("found CR, LF or NUL in the request's line or header fields, expected none")
    return len(text)


def is_websocket_upgrade(fields: Fields) -> bool:
    """Whether the request asks to become a WebSocket (RFC 6455, section 4.1)."""
    return any(
        len(name) == 7 and name.lower() == b"upgrade" and value.lower() == b"websocket"
        for name, value in fields
    )


def has_field(fields: Fields, names: frozenset[bytes]) -> bool:
    """Whether a header of one of `names` (lower case) is there."""
    return any(name.lower() in names for name, _ in fields)
