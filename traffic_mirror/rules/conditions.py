"""A rule's further conditions: on header fields, on the query, and mitmproxy's own filters.

Each is a function that says in words why a request does not meet it, or None.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

from traffic_mirror.copies.request import Fields
from traffic_mirror.rules.target import clean, read_query
from traffic_mirror.spec.model import Match
from traffic_mirror.spec.pattern import compile_expression

Filter = Callable[[object], bool]
CompileFilter = Callable[[str], Filter]

_LOG = logging.getLogger(__name__)


class Seen(NamedTuple):
    """What conditions look at: header fields, the target, and mitmproxy's flow where there is one.

    `asked`: nobody sent the request, so the flow has neither a body nor a client.
    """

    headers: Fields
    target: bytes
    flow: object | None
    asked: bool = False


Condition = Callable[[Seen], str | None]


def compile_conditions(match: Match, compile_filter: CompileFilter | None) -> tuple[Condition, ...]:
    """The conditions of a rule, the cheap ones first; ValueError says what is wrong with one."""
    return tuple(_conditions(match, compile_filter))


def _conditions(match: Match, compile_filter: CompileFilter | None) -> Iterator[Condition]:
    for name, expression in match.headers:
        yield _header_condition(name, expression)
    for key, expression in match.query:
        yield _query_condition(key, expression)
    if match.filter is not None:
        yield _filter_condition(match.filter, compile_filter)


def _header_condition(name: str, expression: str) -> Condition:
    search = compile_expression(expression).search
    wanted = name.lower().encode()

    def refuses(seen: Seen) -> str | None:
        refusal = f"header {name} is absent"
        for field, value in seen.headers:
            if field.lower() == wanted:
                if search(clean(value)) is not None:
                    return None
                refusal = f"header {name} does not match {expression}"
        return refusal

    return refuses


def _query_condition(key: str, expression: str) -> Condition:
    search = compile_expression(expression).search

    def refuses(seen: Seen) -> str | None:
        refusal = f"query key {key} is absent"
        for found, value in read_query(seen.target):
            if found == key:
                if search(value) is not None:
                    return None
                refusal = f"query key {key} does not match {expression}"
        return refusal

    return refuses


def _filter_condition(text: str, compile_filter: CompileFilter | None) -> Condition:
    accepts = compile_filter(text) if compile_filter is not None else None
    failed = False

    def refuses(seen: Seen) -> str | None:
        nonlocal failed
        if seen.flow is None or accepts is None:
            return f"filter {text} can only be judged on real traffic, in the proxy"
        try:
            if accepts(seen.flow):
                return None
        except Exception as error:  # noqa: BLE001 - a filter runs code of mitmproxy's on any traffic
            if not failed:
                failed = True  # said once: it may fail for every request
                _LOG.warning("filter %s failed, which counts as no match: %r", text, error)
            return f"filter {text} failed: {type(error).__name__}"
        known = ", of which method, URL and headers are known here" if seen.asked else ""
        return f"filter {text} does not match the request{known}"

    return refuses
