"""A reply as a service builds it, before it is written down as one side writes."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.compare.examiner.world import Side, http_date
from traffic_mirror.compare import Answer

Json = Any


@dataclass
class Reply:
    """`body` is JSON when it is a dict or a list, text when a str, else bytes. `edits` act on the text."""

    body: Json
    type: str = "application/json"
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    method: str = "GET"
    target: str = "/"
    request_body: str = ""
    charset: str = "utf-8"
    edits: list[Callable[[str], str]] = field(default_factory=list)

    def seal(self, side: Side) -> Answer:
        data = self._write(side)
        fields = [("Content-Type", self.type), ("Date", http_date(side.now())), *self.headers]
        data, fields = _encode(data, fields, side)
        if data:
            fields.append(("Content-Length", str(len(data))))
        fields.append(("X-Request-Id", side.uuid()))
        side.style.shuffle(fields)
        spell = side.style.choice((str.title, str.lower, str))
        return Answer(
            status=self.status,
            headers=tuple(
                (spell(name).encode(), value.encode("latin-1", "replace")) for name, value in fields
            ),
            body=data,
            hosts=_names(side.host),
            began=side.began,
            seconds=side.seconds,
        )

    def _write(self, side: Side) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else _dump(self.body, side)
        for edit in self.edits:
            text = edit(text)
        return text.encode(self.charset)


def _dump(document: Json, side: Side) -> str:
    if side.style.random() < 0.5:
        document = _shuffled(document, side)
    layout = side.style.choice(({"separators": (",", ":")}, {}, {"indent": 2}))
    return json.dumps(document, ensure_ascii=side.style.random() < 0.5, **layout)


def _shuffled(document: Json, side: Side) -> Json:
    if isinstance(document, dict):
        keys = list(document)
        side.style.shuffle(keys)
        return {key: _shuffled(document[key], side) for key in keys}
    if isinstance(document, list):
        return [_shuffled(item, side) for item in document]
    return document


def _encode(data: bytes, fields: list[tuple[str, str]], side: Side) -> tuple[bytes, list[tuple[str, str]]]:
    coding = side.style.choice(("", "", "gzip", "deflate"))
    if not coding or not data or any(name == "Content-Range" for name, _ in fields):
        return data, fields
    packed = gzip.compress(data, mtime=side.unix()) if coding == "gzip" else zlib.compress(data)
    return packed, [*fields, ("Content-Encoding", coding)]


def _names(host: str) -> tuple[str, ...]:
    bare, colon, _ = host.partition(":")
    return (bare, host) if colon else (bare, f"{bare}:443")
