"""Filter expressions of mitmproxy's own language: what is wrong with one, one as a function, and
a flow for it to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from mitmproxy import connection, flowfilter, http
from mitmproxy.flow import Flow

from traffic_mirror.copies.request import FrozenRequest


def check_filter(expression: str) -> str | None:
    """What mitmproxy says against an expression, or None."""
    try:
        flowfilter.parse(expression)
    except Exception as error:  # noqa: BLE001 - the parser lets what its own parts raise through
        return str(error).split("\n", 1)[0] or type(error).__name__
    return None


def compile_filter(expression: str) -> Callable[[object], bool]:
    """A function that says whether a flow fits an expression that `check_filter` found nothing against."""
    matches = flowfilter.parse(expression)

    def accepts(flow: object) -> bool:
        return bool(matches(cast("Flow", flow)))

    return accepts


def make_flow(request: FrozenRequest) -> http.HTTPFlow:
    """A flow of a request that nobody sent: of its client and the way it came nothing is known."""
    flow = http.HTTPFlow(
        connection.Client(peername=("", 0), sockname=("", 0)),
        connection.Server(address=(request.host, request.port)),
    )
    flow.request = http.Request(
        request.host,
        request.port,
        request.method,
        request.scheme.encode(),
        b"",
        request.target,
        request.http_version.encode(),
        http.Headers(request.headers),
        request.body,
        None,
        request.time,
        request.time,
    )
    return flow
