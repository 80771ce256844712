"""gRPC: how a call ended, which its status says in the answer's trailers, whatever the HTTP status."""

from __future__ import annotations

from urllib.parse import unquote

from traffic_mirror.copies.request import Fields
from traffic_mirror.worker.errand import Outcome
from traffic_mirror.worker.sender import Sent

_STATUSES = frozenset(str(status) for status in range(17))
_LONGEST = 300
_CONTENT_TYPE = b"application/grpc"


def is_call(fields: Fields) -> bool:
    """Whether a request with these header fields is a call."""
    return any(
        len(name) == len(b"content-type")
        and name.lower() == b"content-type"
        and value.lower().startswith(_CONTENT_TYPE)
        for name, value in fields
    )


def outcome_of_call(sent: Sent) -> Outcome | None:
    """The outcome of an answer that is gRPC's, None for any other.

    Names are in lower case; `grpc-status` is in the trailers or, where there is nothing else to say, in the
    only head (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
    """
    if sent.status != 200 or not any(
        line.startswith(b"content-type: " + _CONTENT_TYPE) for line in sent.lines
    ):
        return None
    fields = dict(sent.fields())
    status = fields.get(b"grpc-status", b"").decode("latin-1")
    if not status and not sent.too_large:
        return Outcome("failed", "protocol", "a gRPC answer without a grpc-status")
    message = unquote(fields.get(b"grpc-message", b"").decode("latin-1"))[:_LONGEST]
    return Outcome("delivered", f"grpc_{status if status in _STATUSES else 'other'}", message)
