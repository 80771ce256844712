"""Form data as values: urlencoded fields, and the parts of a multipart body."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from traffic_mirror.compare.strict_json import Repeated

_MAX_FIELDS = 10_000
_DISPOSITION = re.compile(rb'\bname="?([^";\r\n]*)', re.IGNORECASE)


def read_fields(text: str) -> dict[str, object]:
    """The fields of urlencoded data; `ValueError` where there are too many."""
    fields: dict[str, object] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS):
        known = fields.get(name)
        if isinstance(known, Repeated):
            known.append(value)
        else:
            fields[name] = value if known is None else Repeated([known, value])
    return fields


def read_parts(body: bytes, boundary: str) -> list[dict[str, object]]:
    """The parts of a multipart body, each with its `name`, `headers` and raw `content`; `ValueError` where
    it is none."""
    mark = b"--" + boundary.encode("latin-1", "replace")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if not boundary or len(pieces) < 2 or not pieces[-1].startswith(b"--") or len(pieces) > _MAX_FIELDS:
        raise ValueError("no multipart body of this boundary")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> dict[str, object]:
    head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    headers: dict[str, object] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.strip().lower().decode("latin-1")] = value.strip().decode("latin-1")
    found = _DISPOSITION.search(head)
    return {
        "name": found[1].decode("utf-8", "replace") if found else None,
        "headers": headers,
        "content": content,
    }
