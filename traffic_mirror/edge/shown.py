"""A copy as a flow: what mitmweb, the console and saved files show of it, and the words that sum it up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from mitmproxy import connection, flow, http

from traffic_mirror.compare.model import Difference, SetAside
from traffic_mirror.wire.frames import Shown

# Metadata keys. Filters see them (`~meta "mirror.verdict: differ"`), saved files keep them: plain data only.
OF = "mirror.of"
COPIES = "mirror.copies"
DESTINATION = "mirror.destination"
OUTCOME = "mirror.outcome"
VERDICT = "mirror.verdict"
DIFFERENCES = "mirror.differences"
SET_ASIDE = "mirror.set_aside"

# Marks, the most pressing first: what a flow with several copies is marked by.
MARKS = {
    "failed": ":x:",
    "differ": ":large_orange_diamond:",
    "dropped": ":no_entry_sign:",
    "skipped": ":no_entry_sign:",
    "incomparable": ":grey_question:",
    "delivered": ":repeat:",
    "match": ":white_check_mark:",
}
_VERSIONS = {"2": "HTTP/2.0", "3": "HTTP/3"}


def make_copy_flow(shown: Shown, body: bytes, original: http.HTTPFlow) -> http.HTTPFlow:
    """The copy as a flow of its own, beside its original: its request as sent, its answer or its error."""
    url = urlsplit(shown.url)
    port = _port(shown.url) or (443 if url.scheme == "https" else 80)
    copy = http.HTTPFlow(original.client_conn, connection.Server(address=(url.hostname or "", port)))
    copy.request = _request(shown, original, url.scheme, url.hostname or "", port)
    copy.is_replay = "request"
    copy.timestamp_created = original.timestamp_created
    if shown.status:
        copy.response = _response(shown, body, copy.request.http_version)
    if shown.outcome != "delivered":
        ended = (shown.began or original.timestamp_created) + shown.seconds
        copy.error = flow.Error(": ".join(filter(None, (shown.reason, shown.message))), ended)
    copy.marked = mark_of(shown.outcome, shown.verdict)
    copy.comment = f"copy of {shown.id} → {summary_of(shown)}"
    copy.metadata.update(
        {
            OF: shown.id,
            DESTINATION: shown.destination,
            OUTCOME: f"{shown.outcome} {shown.reason}",
            VERDICT: " ".join(filter(None, (shown.verdict, shown.verdict_reason))),
            DIFFERENCES: [[d.place, d.kind, d.primary, d.copy] for d in shown.differences],
            SET_ASIDE: [[it.place, it.why] for it in shown.set_aside],
        }
    )
    return copy


def summary_of(shown: Shown) -> str:
    """How a copy ended, in a few words: `shadow: 200 in 12 ms, differs: body $.price (2 more)`."""
    ended = f"{shown.outcome}: {shown.reason}"
    if shown.outcome == "delivered":
        ended = f"{shown.status} in {_time(shown.seconds)}"
    verdict = ""
    if shown.verdict == "differ":
        verdict = f", differs: {_places([d.place for d in shown.differences])}"
    elif shown.verdict == "match":
        verdict = ", matches"
    elif shown.verdict:
        verdict = f", incomparable: {shown.verdict_reason}"
    return f"{shown.destination}: {ended}{verdict}"


def mark_of(outcome: str, verdict: str) -> str:
    """The mark of a copy that ended so."""
    return MARKS[verdict if outcome == "delivered" and verdict else outcome]


def worst_mark(marks: Iterable[str]) -> str:
    """The most pressing of several copies' marks."""
    order = list(MARKS.values())
    return min(marks, key=order.index)


def differences_of(copy: http.HTTPFlow) -> list[Difference]:
    """What `make_copy_flow` noted of a copy's differences."""
    return [Difference(*row) for row in copy.metadata.get(DIFFERENCES, ())]


def set_aside_of(copy: http.HTTPFlow) -> list[SetAside]:
    """What `make_copy_flow` noted as noise."""
    return [SetAside(*row) for row in copy.metadata.get(SET_ASIDE, ())]


def _request(shown: Shown, original: http.HTTPFlow, scheme: str, host: str, port: int) -> http.Request:
    body = original.request.data.content if shown.request_body is None else shown.request_body
    made = bool(shown.headers)  # one that was dropped before: what it would have been made of
    return http.Request(
        host=host,
        port=port,
        method=shown.method,
        scheme=scheme.encode("ascii", "replace"),
        authority=b"",
        path=_target(shown.url) if made else original.request.data.path,
        http_version=_version(shown.http_version),
        headers=http.Headers(shown.headers if made else original.request.headers.fields),
        content=body,
        trailers=None,
        timestamp_start=shown.began or original.timestamp_created,
        timestamp_end=shown.began or original.timestamp_created,
    )


def _response(shown: Shown, body: bytes, http_version: str) -> http.Response:
    return http.Response(
        http_version=http_version.encode("ascii"),
        status_code=shown.status,
        reason=b"",
        headers=http.Headers(shown.response_headers),
        content=body,
        trailers=None,
        timestamp_start=shown.began + shown.first_byte,
        timestamp_end=shown.began + shown.seconds,
    )


def _target(url: str) -> bytes:
    """All after the authority, byte for byte: `urlsplit` would drop a lone `?`."""
    _, _, rest = url.partition("://")
    _, slash, path = rest.partition("/")
    return f"{slash or '/'}{path}".encode("utf-8", "surrogateescape")


def _version(version: str) -> bytes:
    return _VERSIONS.get(version, version if version.startswith("HTTP/") else "HTTP/1.1").encode("ascii")


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _places(places: Sequence[str]) -> str:
    """`body:$.a`, `header:B` as a person says it: the first one, and how many more."""
    if not places:
        return "more than is listed"
    more = f" ({len(places) - 1} more)" if len(places) > 1 else ""
    return places[0].replace(":", " ", 1) + more
