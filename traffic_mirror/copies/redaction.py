"""Redaction in a JSON body: places are masked, or the copy is refused; it is never sent as it was."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from traffic_mirror.copies.request import Fields
from traffic_mirror.spec.place import Steps, parse_json_path

MASK = "***"
MAX_DECODED = 64 * 1024 * 1024

_ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's window bits
_BEFORE_JSON = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"  # white space and byte order marks; UTF-16 and 32 add NULs
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, ArithmeticError)
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode

State = tuple[Steps, int]  # and how many of its steps are taken


class Unredactable(ValueError):  # noqa: N818 - it says what the body is
    """A body in which places are to be masked, and can't be; the message says why."""


class JsonMask:
    """Masks places in JSON bodies. The work is bounded by the body's size times the places' steps."""

    def __init__(self, places: Iterable[Steps]) -> None:
        self._places = tuple(places)
        self._names = tuple(
            frozenset(step.name.encode() for step in place if step.name is not None) for place in self._places
        )

    def apply(self, headers: Fields, body: bytes | None) -> bytes | None:
        """The body with its places masked, encoded as it was; the same bytes where there is nothing to mask.

        Bodies that neither are JSON, nor say so, nor begin like it stay as they are. Raises Unredactable.
        """
        if body is None:
            raise Unredactable("the body is streamed, and places in it can only be masked when it is whole")
        if not body:
            return body
        encoding = _value(headers, b"content-encoding").decode("latin-1").strip().lower()
        text = _unpack(body, encoding)
        try:
            document = _decode(text)
        except _UNREADABLE as error:
            if b"json" in _value(headers, b"content-type").lower():
                raise Unredactable(f"the body says it is JSON and can't be read: {error}") from None
            if text.lstrip(_BEFORE_JSON)[:1] in (b"{", b"["):
                raise Unredactable(f"the body begins like JSON and can't be read: {error}") from None
            return body
        masked, count = self._mask(document)
        if count:
            return _pack(_encode(masked), encoding)
        if self._may_hold(text):
            _check_keys(text)
        return body

    def _may_hold(self, text: bytes) -> bool:
        """Whether the keys of a place may all be in a document, wherever they stand."""
        return b"\\" in text or any(all(name in text for name in names) for names in self._names)

    def _mask(self, document: object) -> tuple[object, int]:
        """The document with its places masked, in place, and how many were found."""
        if () in self._places:
            return MASK, 1
        count = 0
        pending = [(document, {(place, 0) for place in self._places})]
        while pending:  # no recursion, so depth is free
            container, states = pending.pop()
            if not isinstance(container, dict | list):
                continue
            for key in list(container) if isinstance(container, dict) else range(len(container)):
                found, below = _step_down(states, key)
                if found:
                    container[key] = MASK
                    count += 1
                elif below:
                    pending.append((container[key], below))
        return document, count


def _step_down(states: set[State], key: str | int) -> tuple[bool, set[State]]:
    """Whether a place ends at `key`, and the states of the places that may end below it."""
    found = False
    below = set()
    for place, taken in states:
        step = place[taken]
        if step.leads_to(key):
            if taken + 1 == len(place):
                found = True
            else:
                below.add((place, taken + 1))
        if step.deep:
            below.add((place, taken))
    return found, below


def _check_keys(text: bytes) -> None:
    """Raises Unredactable where an object has a key twice: only the last was looked at, the first may hold a
    place, and a destination may read either."""
    try:
        # Numbers stay as they are written: no matter what they are, and int() refuses the longest.
        json.loads(text, object_pairs_hook=_without_repeats, parse_int=str, parse_float=str)
    except _UNREADABLE as error:
        raise Unredactable(f"the body can't be searched for repeated keys: {error}") from None


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key more than once")
    return found


def compile_json_mask(places: Iterable[str]) -> JsonMask | None:
    """The mask for places as they are written; None where there are none."""
    parsed = tuple(parse_json_path(place) for place in places)
    return JsonMask(parsed) if parsed else None


def _value(headers: Fields, lower: bytes) -> bytes:
    return b",".join(value for name, value in headers if name.lower() == lower)


def _unpack(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    bits = _ENCODINGS.get(encoding)
    if bits is None:
        raise Unredactable(
            f"the body's content-encoding is {encoding}, places can be masked in gzip and deflate"
        )
    try:
        return _inflate(body, bits)
    except zlib.error as error:
        if encoding == "deflate":
            return _unpack_raw(body)
        raise Unredactable(f"the body says it is {encoding} and can't be read: {error}") from None


def _unpack_raw(body: bytes) -> bytes:
    """Deflate without zlib's frame, as some clients send it."""
    try:
        return _inflate(body, -15)
    except zlib.error as error:
        raise Unredactable(f"the body says it is deflate and can't be read: {error}") from None


def _inflate(body: bytes, bits: int) -> bytes:
    inflater = zlib.decompressobj(bits)
    text = inflater.decompress(body, MAX_DECODED)
    if inflater.unconsumed_tail:
        raise Unredactable(f"the body is more than {MAX_DECODED} bytes when decoded")
    if not inflater.eof or inflater.unused_data:
        raise Unredactable("the body's content-encoding ends too early, or before the body does")
    return text


def _pack(text: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return text
    deflater = zlib.compressobj(1, zlib.DEFLATED, _ENCODINGS[encoding])
    return deflater.compress(text) + deflater.flush()
