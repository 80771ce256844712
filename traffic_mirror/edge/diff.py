"""What differs between a flow and its copy, in lines for a person: the differences, then the bodies' diff."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator

from mitmproxy import contentviews, http

from traffic_mirror.compare.model import Difference
from traffic_mirror.edge.shown import (
    DESTINATION,
    OUTCOME,
    VERDICT,
    differences_of,
    set_aside_of,
)
from traffic_mirror.edge.summary import counted

# All of it runs on the proxy's loop: these bound its work to some tens of milliseconds.
MAX_BODY = 128 * 1024  # bytes of each side's body
MAX_LINES = 1500
MAX_WIDTH = 300  # characters
MAX_DIFFERENCES = 100
MAX_DIFF = 600  # lines
_CONTEXT = 3
_RAW, _BINARY = "Raw", "Hex Dump"  # mitmproxy's views: what it falls back to, and what shows each byte
_GAP = " "  # mitmweb gives a line without a character no height
_KINDS = {
    "added": "only in the copy",
    "removed": "only in the primary's answer",
    "type": "of another type",
    "order": "in another order",
    "value": "differs",
}


def answer_lines(original: http.HTTPFlow, copy: http.HTTPFlow) -> list[str]:
    """How the copy's answer differs from the primary's."""
    return [*_verdict(copy), _GAP, *_bodies(original, copy), *_noise(copy)]


def request_lines(original: http.HTTPFlow, copy: http.HTTPFlow) -> list[str]:
    """What was changed of the request for the copy."""
    before, after = _request_text(original), _request_text(copy)
    return [f"→ {copy.metadata[DESTINATION]}", _GAP, *_unified(before, after, "client's request", "copy")]


def _verdict(copy: http.HTTPFlow) -> Iterator[str]:
    verdict = copy.metadata.get(VERDICT) or "not compared"
    yield f"→ {copy.metadata[DESTINATION]}: {copy.metadata[OUTCOME]}; {verdict}"
    if copy.error:
        yield f"  {copy.error.msg}"
    differences = differences_of(copy)
    for difference in differences[:MAX_DIFFERENCES]:
        yield _GAP
        yield from _difference(difference)
    if len(differences) > MAX_DIFFERENCES:
        yield f"… and {len(differences) - MAX_DIFFERENCES} more"


def _difference(difference: Difference) -> Iterator[str]:
    yield f"{difference.place.replace(':', ' ', 1)}  {_KINDS[difference.kind]}"
    if difference.kind != "added":
        yield f"  primary: {_value(difference.primary)}"
    if difference.kind != "removed":
        yield f"  copy:    {_value(difference.copy)}"


def _value(value: object) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _bodies(original: http.HTTPFlow, copy: http.HTTPFlow) -> Iterator[str]:
    if original.response is None or copy.response is None:
        missing = "primary's answer" if original.response is None else "copy's answer"
        yield f"The {missing} is not there, so there are no bodies to compare."
        return
    before, after = _body(original.response, original), _body(copy.response, copy)
    if before == after and _content(original.response) != _content(copy.response):
        yield f"What is shown of both is the same, {counted(len(before), 'line')}; they differ further on."
        return
    yield from _unified(before, after, "primary", "copy")


def _body(message: http.Message, flow: http.HTTPFlow) -> list[str]:
    """A body's lines, laid out as mitmproxy shows it, within the bounds."""
    size = len(message.raw_content or b"")
    if message.raw_content is None:
        return ["(no body was kept)"]
    if size > MAX_BODY:
        start = message.raw_content[:4096].decode("utf-8", "replace").splitlines()
        return [*_bounded(start), f"(a body of {size} bytes; only its start is shown)"]
    content = _content(message)
    if not content:
        return []
    if len(content) > MAX_BODY:
        return [f"(a body of {len(content)} bytes, too large to be shown as a difference)"]
    pretty = contentviews.prettify_message(message, flow)
    if pretty.view_name == _RAW and b"\0" in content:
        pretty = contentviews.prettify_message(message, flow, _BINARY)
    return _bounded(pretty.text.splitlines())


def _content(message: http.Message) -> bytes | None:
    return message.get_content(strict=False)


def _request_text(flow: http.HTTPFlow) -> list[str]:
    data = flow.request.data
    method, target = (part.decode("utf-8", "replace") for part in (data.method, data.path))
    fields = (f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in data.headers.fields)
    return [f"{method} {target}", *_bounded(list(fields)), "", *_body(flow.request, flow)]


def _unified(before: list[str], after: list[str], left: str, right: str) -> Iterator[str]:
    if before == after:
        same = f"are the same, {counted(len(before), 'line')}" if before else "are both empty"
        yield f"{left} and {right} {same}."
        return
    lines = difflib.unified_diff(before, after, left, right, n=_CONTEXT, lineterm="")
    for number, line in enumerate(lines):
        if number >= MAX_DIFF:
            yield "… (the rest is left out)"
            return
        yield line


def _bounded(lines: list[str]) -> list[str]:
    """The first lines; a long one goes on in the next, since what differs may be at its end."""
    pieces = [line[at : at + MAX_WIDTH] for line in lines for at in range(0, max(1, len(line)), MAX_WIDTH)]
    kept = pieces[:MAX_LINES]
    if len(pieces) > MAX_LINES:
        kept.append(f"… ({len(pieces) - MAX_LINES} lines more)")
    return kept


def _cut(line: str) -> str:
    return line if len(line) <= MAX_WIDTH else f"{line[:MAX_WIDTH]}…"


def _noise(copy: http.HTTPFlow) -> Iterator[str]:
    aside = set_aside_of(copy)
    if aside:
        counts = Counter(it.why for it in aside)
        kinds = ", ".join(f"{count} {why}" for why, count in counts.most_common())
        yield _GAP
        yield f"Set aside as noise: {counted(len(aside), 'place')} ({kinds})"
