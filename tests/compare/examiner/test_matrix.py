"""Every kind of noise and of real difference in every kind of body."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.compare.examiner.examination import POLICY
from tests.compare.examiner.world import Side, http_date, micros, zulu
from traffic_mirror.compare import Answer, Verdict, judge
from traffic_mirror.copies.request import FrozenRequest

NOW = 1_795_428_003.412
Fields = dict[str, Any]
HASH = "5d41402abc4b2a76b9719d911017c592", "7d793037a0760186574b0282f2f435e7"
UUID = "0b5f2c7e-4a1d-4c3b-9e8f-5d6a7b8c9d0e"

NOISE: dict[str, Callable[[Side], object]] = {
    "timestamp": lambda side: zulu(side.now()),
    "generated_at": lambda side: micros(side.now()),
    "now": lambda side: side.unix(),
    "ms": lambda side: side.millis(),
    "expires": lambda side: zulu(side.now(hours=1)),
    "requestId": lambda side: side.uuid(),
    "trace_id": lambda side: side.hex(32),
    "self": lambda side: f"{side.url}/a/b?x=1",
    "session": lambda side: side.base62(32),
    "nonce": lambda side: side.hex(16),
    "date": lambda side: http_date(side.now()),
    "message": lambda side: f"Failed at {zulu(side.now())} (trace {side.hex(16)}) on {side.host}",
    "link": lambda side: f"{side.url}/x?ts={side.unix()}&sig={side.hex(40)}",
    "time": lambda side: f"{side.now():%Y-%m-%d %H:%M:%S}",
}
REAL: dict[str, tuple[object, object]] = {
    "price": ("19.99", "19.89"),
    "total": (1999, 1998),
    "currency": ("EUR", "USD"),
    "due_date": ("2026-12-01", "2026-12-02"),
    "order_id": (42, 43),
    "name": ("Müller", "Mueller"),
    "active": (True, False),
    "status": ("open", "closed"),
    "version": ("1.2.3", "1.2.4"),
    "created": ("2021-05-01T10:00:00Z", "2022-05-01T10:00:00Z"),
    "url": ("https://cdn.test/a", "https://cdn.test/b"),
    "iban": ("DE89370400440532013000", "DE89370400440532013001"),
    "big": (9007199254740993, 9007199254740992),
    "phone": ("+49 170 1234567", "+49 170 1234568"),
    "ratio": (0.3333333333333333, 0.3333333333333334),
    "due": ("2026-12-24T18:00:00+01:00", "2026-12-24T18:00:00+02:00"),
    "epoch": (1_600_000_000, 1_600_086_400),
    "zip": ("01234", "1234"),
    "text": ("See you on Monday", "See you on Tuesday"),
    "at": ("10:00", "11:00"),
    "sku": ("AB-1001", "AB-1002"),
    "address": ("10.0.0.1", "10.0.0.2"),
    "reference": (UUID, UUID[:-1] + "f"),
    "sign": (5, -5),
    "percent": ("50%", "60%"),
    "amount": ("Total: 1.234,56 €", "Total: 1.234,65 €"),
    "day": ("Due on 3 March 2027", "Due on 4 March 2027"),
    "long": ("x" * 500 + "a", "x" * 500 + "b"),
}


def attributes(fields: Fields) -> str:
    return " ".join(f'{key}="{escape(str(value))}"' for key, value in fields.items())


def elements(fields: Fields) -> str:
    return "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in fields.items())


def page(inner: str) -> str:
    return f"<html><body>{inner}</body></html>"


def csv(fields: Fields) -> str:
    return ",".join(fields) + "\n" + ",".join(f'"{value}"' for value in fields.values()) + "\n"


FORMS: dict[str, tuple[str, Callable[[Fields], str]]] = {
    "json": ("application/json", json.dumps),
    "nested": ("application/json", lambda fields: json.dumps({"data": {"attributes": fields}})),
    "in a list": ("application/json", lambda fields: json.dumps({"items": [{"n": 1}, {"n": 2, **fields}, {"n": 3}]})),
    "json in a text": ("application/json", lambda fields: json.dumps({"payload": json.dumps(fields)})),
    "lines of json": ("application/x-ndjson", lambda fields: '{"x": 1}\n' + json.dumps(fields) + "\n"),
    "xml": ("application/xml", lambda fields: f"<r>{elements(fields)}</r>"),
    "xml attributes": ("text/xml", lambda fields: f"<r><i {attributes(fields)}/></r>"),
    "html": ("text/html", lambda fields: page("".join(f"<p class={k}>{escape(str(v))}</p>" for k, v in fields.items()))),
    "html attributes": ("text/html", lambda fields: page(f"<div {attributes({f'data-{k}': v for k, v in fields.items()})}>")),
    "hidden fields": (
        "text/html",
        lambda fields: page("".join(f'<input name={k} value="{escape(str(v))}">' for k, v in fields.items())),
    ),
    "script": ("text/html", lambda fields: page(f"<script>window.S = {json.dumps(fields)};</script>")),
    "json script": (
        "text/html",
        lambda fields: page(f'<script type="application/json">{json.dumps(fields)}</script>'),
    ),
    "lines": ("text/plain", lambda fields: "".join(f"{key}: {value}\n" for key, value in fields.items())),
    "one line": ("text/plain", lambda fields: " ".join(f"{key}={value}" for key, value in fields.items())),
    "csv": ("text/csv", csv),
    "form": ("application/x-www-form-urlencoded", urlencode),
    "javascript": ("text/javascript", lambda fields: f"callback({json.dumps(fields)});"),
    "yaml": ("application/yaml", lambda fields: "".join(f"{k}: {json.dumps(v)}\n" for k, v in fields.items())),
}  # fmt: skip


def side(index: int) -> Side:
    host = ("api.acme.example", "copy.acme.example:8443")[index]
    began = NOW + 1.3 * index
    return Side(host, "https", began, 0.08, began + 0.04, Random(index + 77))


def judge_both(form: str, fields: tuple[Fields, Fields], method: str = "GET") -> Verdict:
    media, write = FORMS[form]
    first, second = (
        Answer(
            status=200,
            headers=((b"Content-Type", media.encode()),),
            body=write(said).encode(),
            hosts=(at.host.partition(":")[0], at.host),
            began=at.began,
            seconds=at.seconds,
        )
        for said, at in zip(fields, (side(0), side(1)), strict=True)
    )
    return judge(first, second, POLICY, request=ask(method))


def ask(method: str) -> FrozenRequest:
    return FrozenRequest(
        id="flow",
        method=method.encode(),
        scheme="https",
        host="api.acme.example",
        port=443,
        authority=b"api.acme.example",
        target=b"/x",
        http_version="HTTP/1.1",
        headers=(),
        body=b"",
        time=NOW,
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("form", FORMS)
def test_noise_is_noise_in_any_form(form: str, method: str) -> None:
    alarms = {}
    for name, make in NOISE.items():
        verdict = judge_both(form, ({"a": 1, name: make(side(0))}, {"a": 1, name: make(side(1))}), method)
        if verdict.differences:
            alarms[name] = verdict.differences
    assert alarms == {}


@pytest.mark.parametrize("form", FORMS)
def test_a_difference_is_one_in_any_form(form: str) -> None:
    counts = {}
    for name, values in REAL.items():
        noise = [
            {key: NOISE[key](side(index)) for key in ("timestamp", "requestId", "self")} for index in (0, 1)
        ]
        first, second = ({name: value, **around} for value, around in zip(values, noise, strict=True))
        counts[name] = len(judge_both(form, (first, second)).differences)
    assert {name: count for name, count in counts.items() if count != 1} == {}


def test_a_checksum_is_content_where_it_is_called_one() -> None:
    assert judge_both("json", ({"md5": HASH[0]}, {"md5": HASH[1]})).verdict == "differ"
