"""Bodies by their kind: what the content type says, checked against what the bytes are."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from traffic_mirror.compare.forms import read_fields, read_parts
from traffic_mirror.compare.strict_json import read_json
from traffic_mirror.compare.trees import read_html, read_xml

_NDJSON = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/jsonlines",
        "application/x-jsonlines",
    }
)
_TEXTUAL = frozenset(
    {"application/javascript", "application/x-javascript", "application/graphql", "application/yaml",
     "application/x-yaml", "application/toml", "application/sql", "application/x-sh"}
)  # fmt: skip
_SNIFFED = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
_PARAMETER = re.compile(r";\s*([\w!#$&^*+.-]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^;\s]*)")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w-]{2,40})", re.IGNORECASE)
_MARKUP = re.compile(r"\s*(?:<!doctype\s+html|<html[\s>])", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_MAX_PART_DEPTH = 2


class Body(NamedTuple):
    """A body read: its kind (`empty`, `json`, `ndjson`, `form`, `multipart`, `xml`, `html`, `text`,
    `bytes`), the value of that kind, and its text, empty where it is none."""

    kind: str
    value: object
    text: str = ""


def read_body(data: bytes, content_type: str, depth: int = 0) -> Body:
    """The body of that content type; what cannot be read as its type says is text or bytes."""
    if not data:
        return Body("empty", None)
    media, parameters = split_type(content_type)
    kind = _kind_of(media)
    if kind == "multipart" and depth < _MAX_PART_DEPTH:
        parts = _read_parts(data, parameters.get("boundary", ""), depth)
        if parts is not None:
            return Body("multipart", parts)
    text = _text(data, parameters.get("charset"), is_html=kind == "html")
    if kind == "xml" and (found := _read_xml(data, text, parameters.get("charset"))):
        return found
    if text is None:
        return Body("bytes", data)
    return _read_text(kind, media, text, data)


def split_type(content_type: str) -> tuple[str, dict[str, str]]:
    """The media type and the parameters of a Content-Type, names in lower case."""
    media = content_type.partition(";")[0].strip().lower()
    return media, {name.lower(): value.strip('"') for name, value in _PARAMETER.findall(content_type)}


def _kind_of(media: str) -> str:
    if media in _NDJSON or media.endswith(("+json-seq", "+ndjson")):
        return "ndjson"
    if media in ("application/json", "text/json", "application/x-json") or media.endswith("+json"):
        return "json"
    if media in ("text/html", "application/xhtml+xml"):
        return "html"
    if media in ("text/xml", "application/xml") or media.endswith("+xml"):
        return "xml"
    if media == "application/x-www-form-urlencoded":
        return "form"
    if media.startswith("multipart/"):
        return "multipart"
    if media.startswith("text/") or media in _TEXTUAL:
        return "text"
    return "bytes"


def _text(data: bytes, charset: str | None, *, is_html: bool) -> str | None:
    """The body as text; None where it is none."""
    if is_html and not charset and (found := _META_CHARSET.search(data[:2048])):
        charset = found[1].decode("ascii")
    marked = [name for bom, name in _BOMS if data.startswith(bom)]
    for name in (*marked, *([charset] if charset else []), "utf-8"):
        try:
            text = data.decode(name)
        except (LookupError, ValueError):
            continue
        return text if "\0" not in text else None
    return data.decode("latin-1") if is_html else None


def _read_text(kind: str, media: str, text: str, data: bytes) -> Body:
    if kind == "ndjson" and (lines := _read_lines(text)) is not None:
        return Body("ndjson", lines, text)
    if kind == "json" or (media in _SNIFFED and text.lstrip()[:1] in ("{", "[")):
        try:
            return Body("json", read_json(text.strip("\ufeff")), text)
        except ValueError:
            lines = _read_lines(text)
            return Body("text", text, text) if not lines or len(lines) < 2 else Body("ndjson", lines, text)
    if kind == "html" or (media in _SNIFFED and _MARKUP.match(text)):
        return _read_html(text)
    if media in _SNIFFED and text.startswith("<?xml"):
        return _read_xml(data, text, None) or Body("text", text, text)
    if kind == "form":
        return _read_fields(text)
    return Body("text", text, text)


def _read_html(text: str) -> Body:
    try:
        return Body("html", read_html(text), text)
    except ValueError:
        return Body("text", text, text)


def _read_xml(data: bytes, text: str | None, charset: str | None) -> Body | None:
    try:
        return Body("xml", read_xml(data, charset), text or data.decode("latin-1"))
    except ValueError:
        return None


def _read_fields(text: str) -> Body:
    try:
        return Body("form", read_fields(text.strip()), text)
    except ValueError:
        return Body("text", text, text)


def _read_lines(text: str) -> list[object] | None:
    lines: Sequence[str] = [line for line in text.replace("\x1e", "").split("\n") if line.strip()]
    try:
        return [read_json(line) for line in lines]
    except ValueError:
        return None


def _read_parts(data: bytes, boundary: str, depth: int) -> list[object] | None:
    try:
        parts = read_parts(data, boundary)
    except ValueError:
        return None
    read: list[object] = []
    for part in parts:
        headers, content = part["headers"], part["content"]
        assert isinstance(headers, dict)
        assert isinstance(content, bytes)
        inner = read_body(content, str(headers.get("content-type", "text/plain")), depth + 1)
        part["content"] = describe_bytes(content) if inner.kind == "bytes" else inner.value
        read.append(part)
    return read


def describe_bytes(data: bytes) -> str:
    """What is said of bytes that are not shown: their number and a checksum."""
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}"
