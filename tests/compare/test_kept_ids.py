"""Ids in answers to requests that only read: fresh ones beside a time of now, kept ones without."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.compare.answers import COPY, LATER, NOW, PLAIN, answer, ask, found, new_hex, new_uuid, zulu
from traffic_mirror.compare import Verdict, judge

Make = Callable[[str, float], object]
OLD = "2021-05-01T10:00:00Z"
RECORDS = ("event_id", "messageId", "run_id", "executionId", "operation", "idempotency_key", "reference")


def verdict_of(
    make: Make,
    kind: str = "application/json",
    *,
    method: str = "GET",
    status: int = 200,
    same_now: bool = False,
) -> Verdict:
    """Two answers with an id of their own each; with `same_now` written in the same second."""
    first = answer(make(new_uuid(), NOW), kind, status=status)
    at = NOW if same_now else LATER
    second = answer(make(new_uuid(), at), kind, status=status, began=at, hosts=COPY)
    return judge(first, second, PLAIN, request=ask(method))


def named(name: str) -> Make:
    return lambda new, at: {name: new, "n": 1}


FRESH: dict[str, tuple[Make, str]] = {
    "beside now": (lambda new, at: {"event_id": new, "at": zulu(at)}, "json"),
    "beside an epoch of now": (lambda new, at: {"run_id": new, "ts": int(at)}, "json"),
    "in an envelope": (
        lambda new, at: {"meta": {"message_id": new, "generated_at": zulu(at)}, "n": 1},
        "json",
    ),
    "in an envelope beside now": (lambda new, at: {"meta": {"event_id": new}, "served_at": zulu(at)}, "json"),
    "in two envelopes": (lambda new, at: {"meta": {"debug": {"run_id": new}}, "now": zulu(at)}, "json"),
    "plain in an envelope": (lambda new, at: {"meta": {"id": new}, "data": {"n": 1}}, "json"),
    "in content made now": (lambda new, at: {"data": {"id": new, "created_at": zulu(at)}}, "json"),
    "of the exchange": (lambda new, at: {"data": {"request_id": new, "items": [{"trace_id": new}]}}, "json"),
    "of the exchange and an event": (lambda new, at: {"event_request_id": new}, "json"),
    "of the machine": (lambda new, at: {"status": "up", "instance": new}, "json"),
    "in a tree": (lambda new, at: f"<r><EventId>{new}</EventId><Time>{zulu(at)}</Time></r>", "xml"),
    "in attributes": (lambda new, at: f'<r><e event-id="{new}" at="{zulu(at)}"/></r>', "xml"),
    "in a line": (lambda new, at: f"{zulu(at)} started event={new}\nok\n", "plain"),
    "in words": (lambda new, at: {"text": f"Event {new} at {zulu(at)}"}, "json"),
}
KEPT: dict[str, tuple[Make, str]] = {
    **{name: (named(name), "json") for name in RECORDS},
    "beside an old time": (lambda new, at: {"event_id": new, "at": OLD}, "json"),
    "in content beside now": (lambda new, at: {"served_at": zulu(at), "data": {"event_id": new}}, "json"),
    "plain in content": (lambda new, at: {"served_at": zulu(at), "data": {"id": new, "n": 1}}, "json"),
    "in its object": (lambda new, at: {"now": zulu(at), "event": {"id": new, "at": OLD}}, "json"),
    "in an envelope without now": (lambda new, at: {"meta": {"event_id": new, "at": OLD}}, "json"),
    "listed machine": (lambda new, at: {"servers": [{"server": new}, {"server": "b"}]}, "json"),
    "in a tree": (lambda new, at: f"<r><e><EventId>{new}</EventId></e><now>{zulu(at)}</now></r>", "xml"),
    "in a line": (lambda new, at: f"{OLD} started event={new}\nnow {zulu(at)}\n", "plain"),
    "in a page": (lambda new, at: f"<div><p>Event: {new}</p></div><p>{zulu(at)}</p>", "html"),
}


def media(kind: str) -> str:
    return f"application/{kind}" if kind in ("json", "xml") else f"text/{kind}"


@pytest.mark.parametrize("same_now", [False, True], ids=["later", "same second"])
@pytest.mark.parametrize("case", FRESH.values(), ids=FRESH.keys())
def test_an_id_beside_a_time_of_now_is_fresh(case: tuple[Make, str], same_now: bool) -> None:
    verdict = verdict_of(case[0], media(case[1]), same_now=same_now)
    assert found(verdict) == []
    assert verdict.set_aside


@pytest.mark.parametrize("same_now", [False, True], ids=["later", "same second"])
@pytest.mark.parametrize("case", KEPT.values(), ids=KEPT.keys())
def test_another_id_of_something_kept_is_a_difference(case: tuple[Make, str], same_now: bool) -> None:
    verdict = verdict_of(case[0], media(case[1]), same_now=same_now)
    assert len(verdict.differences) == 1


@pytest.mark.parametrize("name", RECORDS)
def test_an_id_is_new_where_something_is_created_or_failed(name: str) -> None:
    assert verdict_of(lambda new, at: {name: new}, method="POST").verdict == "match"
    assert verdict_of(lambda new, at: {name: new}, status=500).verdict == "match"


def test_an_id_that_says_when_it_was_made_is_kept_even_beside_now() -> None:
    first, second = (
        answer(json.dumps({"event_id": made, "at": zulu(at)}), began=at)
        for made, at in (("01ARZ3NDEKTSV4RRFFQ69G5FAV", NOW), ("01BX5ZZKBKACTAV9WEVGEMMVRZ", LATER))
    )
    assert [place for place, *_ in found(judge(first, second, PLAIN, request=ask()))] == ["body:$.event_id"]


def test_a_header_is_of_its_answer() -> None:
    first, second = (
        answer({}, headers=(("X-Event-Id", new_uuid()), ("X-Message", new_hex(32)))) for _ in range(2)
    )
    assert judge(first, second, PLAIN, request=ask()).verdict == "match"


def test_a_window_in_a_tree_ends_now() -> None:
    first, second = (
        answer(f"<w><opened>{zulu(at - 3600)}</opened><closed>{zulu(at)}</closed></w>", "text/xml", began=at)
        for at in (NOW, NOW + 2)
    )
    assert judge(first, second, PLAIN, request=ask()).verdict == "match"
