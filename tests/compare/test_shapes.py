"""Shapes of noise and what only looks like them, second table: ids, times, claims, lists, texts within texts."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.compare.answers import (
    COPY,
    LATER,
    NOW,
    PRIMARY,
    compare,
    found,
    new_hex,
    new_letters,
    new_uuid,
    zulu,
)
from tests.compare.test_noise import Case, jwt

HOSTS = PRIMARY[0], COPY[0]
NOWS = NOW, LATER


def local(at: float, form: str) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(form)


def both(make: Callable[[float, str], object], kind: str = "application/json", method: str = "GET") -> Case:
    """A case of what a function makes of each side's moment and host."""
    return Case(make(NOW, HOSTS[0]), make(LATER, HOSTS[1]), kind, method)


def claims(at: float, host: str, **other: object) -> dict[str, object]:
    return {
        "token": jwt({"iss": f"https://{host}", "sub": "41", "iat": int(at), "exp": int(at) + 3600, **other})
    }


NOISE = {
    "japanese time": both(lambda at, _: {"取得日時": local(at, "%Y年%m月%d日 %H時%M分%S秒")}),
    "korean time": both(lambda at, _: {"시간": local(at, "%Y년 %m월 %d일 %H시 %M분 %S초")}),
    "japanese ago": Case({"m": "3秒前"}, {"m": "4秒前"}),
    "french clock": both(lambda at, _: {"t": local(at, "%d/%m/%Y %H h %M")}),
    "german date and time": both(lambda at, _: {"t": local(at, "%d.%m.%Y um %H:%M:%S Uhr")}),
    "date as a list": both(lambda at, _: {"t": [2026, 11, 23, 10, 0, int(at) % 60, int(at % 1 * 1e9)]}),
    "date as an object": both(
        lambda at, _: {"t": {"year": 2026, "month": 11, "day": 23, "hour": 10, "minute": 0, "second": int(at) % 60}}
    ),
    "seconds and nanos": both(lambda at, _: {"t": {"seconds": int(at), "nanos": int(at % 1 * 1e9)}}),
    "windows file time": both(lambda at, _: {"t": int((at + 11_644_473_600) * 1e7)}),
    "dotnet ticks": both(lambda at, _: {"t": str(int((at + 62_135_596_800) * 1e7))}),
    "clock ahead": both(lambda at, _: {"m": f"Session ends at {local(at + 1200, '%H:%M:%S')} UTC"}),
    "seconds ago": Case({"m": "updated 2 seconds ago"}, {"m": "updated 4 seconds ago"}),
    "took in prose": Case({"m": "Page generated in 0.644 seconds"}, {"m": "Page generated in 0.234 seconds"}),
    "latency": Case({"checks": [{"latencyMs": 57.8}]}, {"checks": [{"latencyMs": 15.4}]}),
    "tracing": Case({"tracing": {"duration": 626_782_233}}, {"tracing": {"duration": 152_854_377}}),
    "elapsed text": Case({"elapsed": "66.63ms"}, {"elapsed": "136.06ms"}),
    "claims": both(lambda at, host: claims(at, host, jti=new_uuid())),
    "url in a script": both(
        lambda _, host: f'<html><script>var a = {{"u": "https:\\/\\/{host}\\/x"}};</script></html>', kind="text/html"
    ),
    "token field": Case(
        "<html><input type=hidden name=_wpnonce value=b196e787bf></html>",
        "<html><input type=hidden name=_wpnonce value=d5a1b6918c></html>",
        kind="text/html",
    ),
    "name of a build": both(
        lambda _, __: f'<html><script src="/_next/static/{new_letters(21)}/_manifest.js"></script></html>',
        kind="text/html",
    ),
    "JSON in a text": both(lambda at, _: {"p": json.dumps({"at": int(at), "a": 1}, sort_keys=at == NOW)}),
    "id in groups": both(lambda *_: {"requestId": ":".join(new_hex(4).upper() for _ in range(5))}),
    "id of time and chance": both(lambda at, _: {"requestId": f"{int(at * 1000)}-{new_hex(8)}"}),
    "short id in prose": both(lambda *_: {"m": f"Failed, request id: {new_letters(8)}"}),
    "base64 in prose": both(
        lambda *_: {"m": f"nonce {base64.b64encode(bytes.fromhex(new_hex(48))).decode()} was seen"}
    ),
    "lower-case id": both(lambda *_: {"id": f"{uuid.UUID(hex=new_hex(32)).int:x}"[:25]}, method="POST"),
    "default port": Case({"server": f"{PRIMARY[0]}:443"}, {"server": COPY[0]}),
    "ports apart": Case({"host": PRIMARY[0], "port": 443}, {"host": COPY[1], "port": 8443}),
    "id in a header": Case({}, {}, first=[("Audit-Id", new_uuid())], second=[("Audit-Id", new_uuid())]),
    "rest of a limit": Case(
        {}, {}, first=[("RateLimit", "limit=9, remaining=5, reset=3")], second=[("RateLimit", "limit=9, remaining=4, reset=2")]
    ),
    "cookie taken back": Case(
        {},
        {},
        first=[("Set-Cookie", "a=; Expires=Sun, 23-Nov-2025 10:00:00 GMT")],
        second=[("Set-Cookie", "a=; Expires=Sun, 23-Nov-2025 10:00:01 GMT")],
    ),
}  # fmt: skip

REAL = {
    "claim: subject": both(lambda at, host: claims(at, host, sub=("41", "42")[at > NOW])),
    "claim: audience": both(lambda at, host: claims(at, host, aud=("web", "app")[at > NOW])),
    "claim: lifetime": both(lambda at, host: claims(at, host, exp=int(at) + (3600, 7200)[at > NOW])),
    "no JWT": Case({"token": jwt({"a": 1})}, {"token": jwt({"a": 1}).replace(".", "_")}),
    "kind of id": Case({"id": f"call_{new_letters(24)}"}, {"id": f"tool_{new_letters(24)}"}, method="POST"),
    "groups of an id": Case({"traceId": f"00-{new_hex(32)}-{new_hex(16)}-01"}, {"traceId": f"00-{new_hex(32)}-{new_hex(16)}"}),
    "camel case": Case({"plan": "EnterprisePlus2024"}, {"plan": "ProfessionalXL2024"}),
    "version of a uuid": Case({"request_id": new_uuid()}, {"request_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, "x"))}),
    "case of a uuid": Case({"request_id": new_uuid()}, {"request_id": new_uuid().upper()}),
    "zeros for an id": Case({"trace_id": new_hex(32)}, {"trace_id": "0" * 32}),
    "words for an id": Case({"session": new_letters(24)}, {"session": "anonymous-user-session-x"}),
    "message for a token": Case({"token": new_letters(24)}, {"token": "ErrorCouldNotSignIn12345"}),
    "request number": Case({"request_id": "REQ-10041"}, {"request_id": "REQ-10042"}),
    "same instant, other zone": Case({"t": local(NOW, "%Y-%m-%dT%H:%M:%S+00:00")}, {"t": local(LATER + 7200, "%Y-%m-%dT%H:%M:%S+02:00")}),
    "day and month": Case({"t": local(NOW, "%d/%m/%Y")}, {"t": local(LATER, "%m/%d/%Y")}),
    "stored list": Case({"t": [2020, 1, 2, 3, 4]}, {"t": [2020, 1, 2, 3, 5]}),
    "picture": Case(
        {"img": "data:image/png;base64," + base64.b64encode(bytes(range(60))).decode()},
        {"img": "data:image/png;base64," + base64.b64encode(bytes(range(90, 150))).decode()},
    ),
    "picture's version": Case({"src": "/a.jpg?v=1600000000"}, {"src": "/a.jpg?v=1600000001"}),
    "setting in ms": Case({"latency_target_ms": 100}, {"latency_target_ms": 200}),
    "track's length": Case({"duration_ms": 207_959}, {"duration_ms": 207_960}),
    "share of uptime": Case({"uptime_percent": 99.9}, {"uptime_percent": 98.7}),
    "minutes to cook": Case({"total_time": 45}, {"total_time": 50}),
    "plus in a query": Case({"u": "/s?q=a+b"}, {"u": "/s?q=a%2Bb"}),
    "slash in a path": Case({"u": "a%2Fb%20c"}, {"u": "a/b%20c"}),
    "attribute's namespace": Case(
        "<a xmlns:i='i' xmlns:j='j' i:t='A'/>", "<a xmlns:i='i' xmlns:j='j' j:t='A'/>", kind="text/xml"
    ),
    "two attributes of one name": Case(
        "<a xmlns:x='http://www.w3.org/1999/xlink' href='1' x:href='2'/>",
        "<a xmlns:x='http://www.w3.org/1999/xlink' href='3' x:href='2'/>",
        kind="text/xml",
    ),
    "JSON escaped twice": Case({"p": json.dumps({"a": 1})}, {"p": json.dumps(json.dumps({"a": 1}))}),
    "tenant in a header": Case({}, {}, first=[("X-Tenant-Id", new_uuid())], second=[("X-Tenant-Id", new_uuid())]),
    "limit itself": Case({}, {}, first=[("RateLimit", "limit=9, reset=3")], second=[("RateLimit", "limit=8, reset=3")]),
    "other port": Case({"port": 5432}, {"port": 5433}),
}  # fmt: skip

ROWS = [{"id": 10**9 + n, "name": f"n{n}", "url": f"https://{PRIMARY[0]}/{n}"} for n in range(5)]
COPIED = json.loads(json.dumps(ROWS).replace(PRIMARY[0], COPY[0]))
LISTS = {
    "reversed": (COPIED[::-1], [("body:$.rows", "order")]),
    "one missing": (COPIED[:2] + COPIED[3:], [("body:$.rows[2]", "removed")]),
    "one more": ([{"id": 7}, *COPIED], [("body:$.rows[0]", "added")]),
    "another id": ([*COPIED[:3], {**COPIED[3], "id": 8}, COPIED[4]], [("body:$.rows[3].id", "value")]),
}


@pytest.mark.parametrize("case", NOISE.values(), ids=NOISE.keys())
def test_noise_is_no_difference(case: Case) -> None:
    assert found(case.judge()) == []


@pytest.mark.parametrize("case", REAL.values(), ids=REAL.keys())
def test_what_only_looks_like_noise_is_a_difference(case: Case) -> None:
    assert case.judge().verdict == "differ"


@pytest.mark.parametrize(("rows", "expected"), LISTS.values(), ids=LISTS.keys())
def test_lists_with_the_sides_links_are_aligned(rows: list[object], expected: list[tuple[str, str]]) -> None:
    verdict = compare({"rows": ROWS}, {"rows": rows})
    assert [(d.place, d.kind) for d in verdict.differences] == expected


def test_equal_elements_in_another_order_are_one_difference() -> None:
    hashes = [new_hex(64) for _ in range(4)]
    assert found(compare({"h": hashes}, {"h": [hashes[1], hashes[0], *hashes[2:]]})) == [
        ("body:$.h", "order", hashes[:2], hashes[1::-1])
    ]


def test_json_in_a_text_is_compared_by_its_places() -> None:
    verdict = compare(
        {"p": json.dumps({"a": 1, "at": zulu(NOW)})}, {"p": json.dumps({"at": zulu(LATER), "a": 2})}
    )
    assert found(verdict) == [("body:$.p.a", "value", 1, 2)]


def test_many_fresh_ids_fit_the_budget() -> None:
    rows = [[{"n": n, "trace_id": new_hex(32), "pad": "x" * 150} for n in range(4000)] for _ in NOWS]
    assert compare({"rows": rows[0]}, {"rows": rows[1]}).verdict == "match"
