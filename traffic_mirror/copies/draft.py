"""A copy's header fields while they are put together: the client's special fields, each in its place."""

from __future__ import annotations

from traffic_mirror.copies.headers import MASK, Action, listed_names

Field = tuple[bytes, bytes]

_NEVER_LISTED = frozenset((b"content-length", b"te", b"host"))


class Draft:
    """The fields so far. `sets` are those that the spec sets, by name in lower case.

    `traced` says that the client sent a trace context. `body` is None where it follows in pieces,
    `multiplexed` says that the request came by HTTP/2 or 3.
    """

    __slots__ = (
        "_body",
        "_chunked",
        "_cookie",
        "_length",
        "_listed",
        "_multiplexed",
        "_placed",
        "_sets",
        "fields",
        "traced",
    )

    def __init__(self, sets: dict[bytes, Field], body: bytes | None, *, multiplexed: bool) -> None:
        self.fields: list[Field] = []
        self.traced = False
        self._sets = sets
        self._body = body
        self._multiplexed = multiplexed
        self._placed: set[bytes] | None = None
        self._listed: set[bytes] | None = None
        self._length = self._cookie = -1
        self._chunked = False

    def place(self, action: Action, field: Field) -> None:
        """Takes a field of the client's that is neither kept as it is nor dropped."""
        if action is Action.LENGTH:
            self._place_length(field)
        elif action is Action.COOKIE:
            self._place_cookie(field)
        elif action is Action.SET:
            self._place_set(field[0].lower())
        elif action is Action.MASK:
            self.fields.append((field[0], MASK))
        elif action is Action.CONNECTION:
            self._listed = (self._listed or set()).union(listed_names(field[1]))
        elif action is Action.TRANSFER_ENCODING:
            self._chunked = True
        else:
            self._place_if_meant(action, field)

    def finish(self) -> list[Field]:
        """All fields but the markers: what the client's Connection lists is out, what is set is in."""
        if self._chunked and self._body is None and self._length >= 0:
            del self.fields[self._length]  # of the two, Transfer-Encoding is the true one
        elif self._length < 0 and (self._body or (self._chunked and self._body is not None)):
            self.fields.append((b"Content-Length", b"%d" % len(self._body or b"")))
        if self._listed:
            listed = self._listed - self._sets.keys() - _NEVER_LISTED
            self.fields = [field for field in self.fields if field[0].lower() not in listed]
        if self._sets:
            placed = self._placed or ()
            self.fields += [field for lower, field in self._sets.items() if lower not in placed]
        return self.fields

    def _place_length(self, field: Field) -> None:
        if self._length < 0:
            self._length = len(self.fields)
            self.fields.append(field if self._body is None else (field[0], b"%d" % len(self._body)))

    def _place_cookie(self, field: Field) -> None:
        """HTTP/2 and 3 split cookies into fields of their own (RFC 9113, section 8.2.3)."""
        if self._cookie >= 0 and self._multiplexed:
            name, value = self.fields[self._cookie]
            self.fields[self._cookie] = (name, value + b"; " + field[1])
            return
        self._cookie = len(self.fields)
        self.fields.append(field)

    def _place_set(self, lower: bytes) -> None:
        if self._placed is None:
            self._placed = set()
        if lower not in self._placed:
            self._placed.add(lower)
            self.fields.append(self._sets[lower])

    def _place_if_meant(self, action: Action, field: Field) -> None:
        if action is Action.TE:
            if any(token.strip().lower() == b"trailers" for token in field[1].split(b",")):
                self.fields.append((field[0], b"trailers"))
            return
        if action is Action.TRAILER and not self._multiplexed:
            return  # mitmproxy has no trailers of an HTTP/1 request
        self.traced = self.traced or action is Action.TRACEPARENT
        self.fields.append(field)
