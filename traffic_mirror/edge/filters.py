"""Filter expressions of mitmproxy's own language: what is wrong with one, and one as a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from mitmproxy import flowfilter
from mitmproxy.flow import Flow


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
