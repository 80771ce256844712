"""Noise and what only looks like it: each case with no configuration at all."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tests.compare.answers import (
    COPY,
    LATER,
    NOW,
    PLAIN,
    answer,
    ask,
    found,
    iso,
    new_base64,
    new_hex,
    new_letters,
    new_uuid,
    zulu,
)
from traffic_mirror.compare import Verdict, judge


class Case(NamedTuple):
    """Two bodies (and headers) that answer one request; the second 0.8 seconds after the first."""

    primary: object
    copy: object
    kind: str = "application/json"
    method: str = "GET"
    first: Sequence[tuple[str, str]] = ()
    second: Sequence[tuple[str, str]] = ()
    target: str = "/x"
    asked: bytes = b""

    def judge(self) -> Verdict:
        primary = answer(self.primary, self.kind, headers=tuple(self.first))
        copy = answer(self.copy, self.kind, headers=tuple(self.second), began=LATER, hosts=COPY)
        return judge(primary, copy, PLAIN, request=ask(self.method, self.target, self.asked))


ONE, OTHER = "0b7a1c1e-1a2b-4c3d-8e4f-112233445567", "9c1f77aa-90d2-4b7e-a3c5-0f9e8d7c6b5a"


def new_png() -> str:
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + base64.b64decode(new_base64(60))).decode()


def jwt(claims: dict[str, object]) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{middle}.{new_letters(43)}"


NOISE = {
    "iso": Case({"a": iso(NOW)}, {"a": iso(LATER)}),
    "iso in text": Case(
        {"a": f"Report made on {zulu(NOW)} by bot"}, {"a": f"Report made on {zulu(LATER)} by bot"}
    ),
    "unix float": Case({"a": NOW}, {"a": LATER}),
    "unix ms str": Case({"a": str(int(NOW * 1000))}, {"a": str(int(LATER * 1000))}),
    "uuid upper": Case({"request_id": new_uuid().upper()}, {"request_id": new_uuid().upper()}),
    "uuid braces": Case({"guid": f"{{{new_uuid()}}}"}, {"guid": f"{{{new_uuid()}}}"}),
    "uuid plain id": Case({"id": new_uuid(), "ok": True}, {"id": new_uuid(), "ok": True}),
    "hex32": Case({"trace": new_hex(32)}, {"trace": new_hex(32)}),
    "traceparent body": Case(
        {"tp": f"00-{new_hex(32)}-{new_hex(16)}-01"}, {"tp": f"00-{new_hex(32)}-{new_hex(16)}-01"}
    ),
    "amzn trace": Case(
        {"t": f"Root=1-{int(NOW):08x}-{new_hex(24)}"}, {"t": f"Root=1-{int(LATER):08x}-{new_hex(24)}"}
    ),
    "b64 nonce": Case({"nonce": new_base64(16)}, {"nonce": new_base64(16)}),
    "b64 token 32": Case({"token": new_base64(32)}, {"token": new_base64(32)}),
    "fernet": Case({"token": "gAAAAAB" + new_base64(60)}, {"token": "gAAAAAB" + new_base64(60)}),
    "snake exp": Case({"expires_at": zulu(NOW + 3600)}, {"expires_at": zulu(LATER + 3600)}),
    "exp unix": Case({"exp": int(NOW) + 86400 * 30}, {"exp": int(LATER) + 86400 * 30}),
    "exp ms": Case({"valid_until": int((NOW + 1800) * 1000)}, {"valid_until": int((LATER + 1800) * 1000)}),
    "link host": Case({"u": "https://api.example.test/a/1"}, {"u": "https://shadow.test:8443/a/1"}),
    "link proto rel": Case({"u": "//api.example.test/a/1"}, {"u": "//shadow.test:8443/a/1"}),
    "host only": Case({"host": "api.example.test"}, {"host": "shadow.test"}),
    "enc link": Case(
        {"u": "https://login.test/?r=https%3A%2F%2Fapi.example.test%2Fcb"},
        {"u": "https://login.test/?r=https%3A%2F%2Fshadow.test%3A8443%2Fcb"},
    ),
    "websocket": Case({"u": "wss://api.example.test/s"}, {"u": "wss://shadow.test:8443/s"}),
    "email at host": Case({"u": "noreply@api.example.test"}, {"u": "noreply@shadow.test"}),
    "two hosts one foreign": Case(
        {"u": ["https://api.example.test/a", "https://cdn.test/x"]},
        {"u": ["https://shadow.test:8443/a", "https://cdn.test/x"]},
    ),
    "took": Case({"took": 3, "hits": []}, {"took": 9, "hits": []}),
    "elapsed str": Case({"elapsed": "12ms"}, {"elapsed": "8ms"}),
    "elapsed .net": Case({"elapsed": "00:00:00.0123"}, {"elapsed": "00:00:00.0099"}),
    "text took": Case("done in 12 ms\n", "done in 9 ms\n", kind="text/plain"),
    "log line": Case(
        "[2026-11-23 10:00:00,371] INFO start\n", "[2026-11-23 10:00:01,171] INFO start\n", kind="text/plain"
    ),
    "html": Case(
        f"<p>Last updated: 10:00:00 AM</p><input name=_token value='{new_base64(30)}'>",
        f"<p>Last updated: 10:00:01 AM</p><input name=_token value='{new_base64(30)}'>",
        kind="text/html",
    ),
    "viewstate": Case(
        f"<input type=hidden name=__VIEWSTATE id=__VIEWSTATE value='{new_base64(900)}'>",
        f"<input type=hidden name=__VIEWSTATE id=__VIEWSTATE value='{new_base64(900)}'>",
        kind="text/html",
    ),
    "nonce css": Case(
        f"<style nonce={new_hex(12)}>a{{}}</style>",
        f"<style nonce={new_hex(12)}>a{{}}</style>",
        kind="text/html",
    ),
    "buster": Case(
        "<script src='/a.js?v=1795428000'></script>",
        "<script src='/a.js?v=1795428001'></script>",
        kind="text/html",
    ),
    "buster hash": Case(
        f"<script src='/a.js?{new_hex(8)}'></script>",
        f"<script src='/a.js?{new_hex(8)}'></script>",
        kind="text/html",
    ),
    "ago": Case({"a": "3 seconds ago"}, {"a": "4 seconds ago"}),
    "just now": Case({"a": "just now"}, {"a": "1 second ago"}),
    "key order": Case({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "spaces": Case(b'{"a": 1}', b'{"a":1}'),
    "escape": Case(b'{"a":"\\u00e9"}', '{"a":"é"}'.encode()),
    "1.0 vs 1.00": Case(b'{"a":1.0}', b'{"a":1.00}'),
    "jti": Case({"jti": new_uuid()}, {"jti": new_uuid()}),
    "post created id": Case({"id": new_uuid(), "name": "x"}, {"id": new_uuid(), "name": "x"}, method="POST"),
    "post created hex id": Case(
        {"id": new_hex(24), "name": "x"}, {"id": new_hex(24), "name": "x"}, method="POST"
    ),
    "post nested ids": Case(
        {"items": [{"id": new_uuid(), "sku": "a"}, {"id": new_uuid(), "sku": "b"}]},
        {"items": [{"id": new_uuid(), "sku": "a"}, {"id": new_uuid(), "sku": "b"}]},
        method="POST",
    ),
    "stripe": Case({"id": "ch_3" + new_letters(23)}, {"id": "ch_3" + new_letters(23)}, method="POST"),
    "chatcmpl": Case(
        {"id": "chatcmpl-" + new_letters(29)}, {"id": "chatcmpl-" + new_letters(29)}, method="POST"
    ),
    "loc": Case(
        {},
        {},
        first=[("Location", "https://api.example.test/o/7")],
        second=[("Location", "https://shadow.test:8443/o/7")],
    ),
    "cookie": Case(
        {},
        {},
        first=[("Set-Cookie", f"PHPSESSID={new_hex(26)}; path=/")],
        second=[("Set-Cookie", f"PHPSESSID={new_hex(26)}; path=/")],
    ),
    "cookie conn": Case(
        {},
        {},
        first=[
            ("Set-Cookie", f"connect.sid=s%3A{new_base64(24)[:32]}.{new_base64(32)[:43]}; Path=/; HttpOnly")
        ],
        second=[
            ("Set-Cookie", f"connect.sid=s%3A{new_base64(24)[:32]}.{new_base64(32)[:43]}; Path=/; HttpOnly")
        ],
    ),
    "cookie short": Case(
        {}, {}, first=[("Set-Cookie", f"sid={new_hex(12)}")], second=[("Set-Cookie", f"sid={new_hex(12)}")]
    ),
    "cookie laravel": Case(
        {},
        {},
        first=[
            (
                "Set-Cookie",
                "laravel_session="
                + base64.b64encode(
                    json.dumps({"iv": new_base64(16), "value": new_base64(200), "mac": new_hex(64)}).encode()
                )
                .decode()
                .replace("=", "%3D"),
            )
        ],
        second=[
            (
                "Set-Cookie",
                "laravel_session="
                + base64.b64encode(
                    json.dumps({"iv": new_base64(16), "value": new_base64(200), "mac": new_hex(64)}).encode()
                )
                .decode()
                .replace("=", "%3D"),
            )
        ],
    ),
    "etag of noise": Case(
        {"a": iso(NOW)},
        {"a": iso(LATER)},
        first=[("ETag", f'W/"{new_hex(32)}"')],
        second=[("ETag", f'W/"{new_hex(32)}"')],
    ),
    "etag express": Case(
        {"a": iso(NOW)},
        {"a": iso(LATER)},
        first=[("ETag", 'W/"2a-AbCdEfGhIjKlMnOpQrStUvWxYz0"')],
        second=[("ETag", 'W/"2a-ZbCdEfGhIjKlMnOpQrStUvWxYz1"')],
    ),
    "lastmod now": Case(
        {},
        {},
        first=[("Last-Modified", "Mon, 23 Nov 2026 10:00:00 GMT")],
        second=[("Last-Modified", "Mon, 23 Nov 2026 10:00:01 GMT")],
    ),
    "expires hdr": Case(
        {},
        {},
        first=[("Expires", "Mon, 23 Nov 2026 10:10:00 GMT")],
        second=[("Expires", "Mon, 23 Nov 2026 10:10:01 GMT")],
    ),
    "csp nonce": Case(
        {},
        {},
        first=[("Content-Security-Policy", f"script-src 'nonce-{new_base64(16)}' 'self'")],
        second=[("Content-Security-Policy", f"script-src 'nonce-{new_base64(16)}' 'self'")],
    ),
    "ctype case": Case({}, {}, kind="application/json; charset=utf-8", first=[], second=[]),
    "atom": Case(
        f"<feed xmlns='http://www.w3.org/2005/Atom'><id>urn:x</id><updated>{zulu(NOW)}</updated></feed>",
        f"<feed xmlns='http://www.w3.org/2005/Atom'><id>urn:x</id><updated>{zulu(LATER)}</updated></feed>",
        kind="application/atom+xml",
    ),
    "xml ns prefix": Case("<a:x xmlns:a='u'><a:y/></a:x>", "<x xmlns='u'><y/></x>", kind="application/xml"),
    "xml indent": Case("<a>\n  <b>1</b>\n</a>", "<a><b>1</b></a>", kind="application/xml"),
    "multipart boundary": Case(
        "--AAA\r\n\r\nx\r\n--AAA--\r\n", "--AAA\r\n\r\nx\r\n--AAA--\r\n", kind="multipart/mixed; boundary=AAA"
    ),
    "error trace text": Case(
        {"error": f"failed, trace id {new_hex(16)}"}, {"error": f"failed, trace id {new_hex(16)}"}
    ),
    "ref req": Case(
        {"message": f"Internal error. Reference: {new_hex(8)}"},
        {"message": f"Internal error. Reference: {new_hex(8)}"},
    ),
    "list of uuids same obj": Case(
        {"session": new_uuid(), "meta": {"correlationId": new_uuid()}},
        {"session": new_uuid(), "meta": {"correlationId": new_uuid()}},
    ),
    "date today text": Case(
        {"a": "Monday, November 23, 2026 10:00:00"}, {"a": "Monday, November 23, 2026 10:00:01"}
    ),
    "de date": Case({"a": "23. November 2026, 11:00:00 Uhr"}, {"a": "23. November 2026, 11:00:01 Uhr"}),
    "last ts frac": Case({"a": "2026-11-23T10:00:00.370Z"}, {"a": "2026-11-23T10:00:01.17Z"}),
    "cursor with ts": Case(
        {"next": base64.b64encode(json.dumps({"id": 5, "at": zulu(NOW)}).encode()).decode()},
        {"next": base64.b64encode(json.dumps({"id": 5, "at": zulu(LATER)}).encode()).decode()},
    ),
    "server id": Case({"server": "web-7d9f8b6c5-x2x9q"}, {"server": "web-7d9f8b6c5-k8l2m"}),
    "array root ts": Case([iso(NOW), 1], [iso(LATER), 1]),
    "events": Case(
        {"events": [{"id": new_uuid(), "at": iso(NOW)}, {"id": new_uuid(), "at": iso(NOW)}]},
        {"events": [{"id": new_uuid(), "at": iso(LATER)}, {"id": new_uuid(), "at": iso(LATER)}]},
    ),
    "since window": Case(
        {"from": zulu(NOW - 3600), "to": zulu(NOW)}, {"from": zulu(LATER - 3600), "to": zulu(LATER)}
    ),
    "ts minute": Case({"t": "2026-11-23T09:59Z"}, {"t": "2026-11-23T10:00Z"}),
    "yyyymmddhhmmss": Case({"id": "20261123100000"}, {"id": "20261123100001"}),
    "year-month path": Case({"u": "/log/2026-11-23T10-00-00Z"}, {"u": "/log/2026-11-23T10-00-01Z"}),
    "jwt": Case(
        {"t": jwt({"sub": "1", "iat": int(NOW), "exp": int(NOW) + 900})},
        {"t": jwt({"sub": "1", "iat": int(LATER), "exp": int(LATER) + 900})},
    ),
    "hateoas": Case(
        {
            "_links": {
                "self": {"href": "https://api.example.test/u/1"},
                "next": {"href": "https://api.example.test/u?page=2"},
            }
        },
        {
            "_links": {
                "self": {"href": "https://shadow.test:8443/u/1"},
                "next": {"href": "https://shadow.test:8443/u?page=2"},
            }
        },
    ),
    "link hdr multi": Case(
        {},
        {},
        first=[
            (
                "Link",
                '<https://api.example.test/a?page=2>; rel="next", <https://api.example.test/a?page=9>; rel="last"',
            )
        ],
        second=[
            (
                "Link",
                '<https://shadow.test:8443/a?page=2>; rel="next", <https://shadow.test:8443/a?page=9>; rel="last"',
            )
        ],
    ),
    "spring err": Case(
        {"timestamp": "2026-11-23T10:00:00.412+00:00", "status": 404, "error": "Not Found", "path": "/x"},
        {"timestamp": "2026-11-23T10:00:01.212+00:00", "status": 404, "error": "Not Found", "path": "/x"},
    ),
    "aws err": Case(
        f"<Error><Code>NoSuchKey</Code><RequestId>{new_hex(16).upper()}</RequestId><HostId>{new_base64(56)}</HostId></Error>",
        f"<Error><Code>NoSuchKey</Code><RequestId>{new_hex(16).upper()}</RequestId><HostId>{new_base64(56)}</HostId></Error>",
        kind="application/xml",
    ),
    "java ms": Case({"ts": 1795428000370}, {"ts": 1795428001170}),
    "go nano": Case({"ts": "2026-11-23T10:00:00.370123456Z"}, {"ts": "2026-11-23T10:00:01.17012345Z"}),
    "py naive micro": Case({"ts": "2026-11-23 10:00:00.370123"}, {"ts": "2026-11-23 10:00:01.170999"}),
    "local +05:30": Case({"ts": "2026-11-23T15:30:00+05:30"}, {"ts": "2026-11-23T15:30:01+05:30"}),
    "ruby": Case({"ts": "2026-11-23 10:00:00 UTC"}, {"ts": "2026-11-23 10:00:01 UTC"}),
    "ruby2": Case({"ts": "2026-11-23 10:00:00 +0000"}, {"ts": "2026-11-23 10:00:01 +0000"}),
    "javascript date": Case(
        {"ts": "Mon Nov 23 2026 10:00:00 GMT+0000 (Coordinated Universal Time)"},
        {"ts": "Mon Nov 23 2026 10:00:01 GMT+0000 (Coordinated Universal Time)"},
    ),
    "asctime header": Case(
        {},
        {},
        first=[("X-Generated", "Mon Nov 23 10:00:00 2026")],
        second=[("X-Generated", "Mon Nov 23 10:00:01 2026")],
    ),
    "iso week year-month fr": Case(
        {"a": "lundi 23 novembre 2026 10:00:00"}, {"a": "lundi 23 novembre 2026 10:00:01"}
    ),
    "ja": Case({"a": "2026年11月23日 10:00:00"}, {"a": "2026年11月23日 10:00:01"}),
    "ts as key": Case({"2026-11-23T10:00:00Z": 1}, {"2026-11-23T10:00:01Z": 1}),
    "uuid as key": Case(
        {"jobs": {new_uuid(): {"s": "ok"}}}, {"jobs": {new_uuid(): {"s": "ok"}}}, method="POST"
    ),
    "nanoid": Case({"id": new_letters(21)}, {"id": new_letters(21)}, method="POST"),
    "nanoid get": Case({"requestId": new_letters(21)}, {"requestId": new_letters(21)}),
    "req short": Case({"request_id": new_hex(8)}, {"request_id": new_hex(8)}),
    "csrf meta": Case(
        f"<meta name='csrf-token' content='{new_base64(64)}'>",
        f"<meta name='csrf-token' content='{new_base64(64)}'>",
        kind="text/html",
    ),
    "rails form": Case(
        f"<form><input type='hidden' name='authenticity_token' value='{new_base64(64)}' /></form>",
        f"<form><input type='hidden' name='authenticity_token' value='{new_base64(64)}' /></form>",
        kind="text/html",
    ),
    "django": Case(
        f"<input type='hidden' name='csrfmiddlewaretoken' value='{new_letters(64).replace('-', 'a').replace('_', 'b')}'>",
        f"<input type='hidden' name='csrfmiddlewaretoken' value='{new_letters(64).replace('-', 'a').replace('_', 'b')}'>",
        kind="text/html",
    ),
    "js csrf": Case(
        f"<script>var csrfToken = '{new_hex(40)}'; var t={int(NOW * 1000)};</script>",
        f"<script>var csrfToken = '{new_hex(40)}'; var t={int(LATER * 1000)};</script>",
        kind="text/html",
    ),
    "next data": Case(
        '<script id="__NEXT_DATA__" type="application/json">'
        + json.dumps({"buildId": "abc", "now": int(NOW * 1000), "x": "y" * 90000})
        + "</script>",
        '<script id="__NEXT_DATA__" type="application/json">'
        + json.dumps({"buildId": "abc", "now": int(LATER * 1000), "x": "y" * 90000})
        + "</script>",
        kind="text/html",
    ),
    "comment time": Case(
        "<p>a</p><!-- page generated 2026-11-23 10:00:00 in 0.012s by web-1 -->",
        "<p>a</p><!-- page generated 2026-11-23 10:00:01 in 0.019s by web-1 -->",
        kind="text/html",
    ),
    "base href": Case(
        "<base href='https://api.example.test/'><a href='/x'>x</a>",
        "<base href='https://shadow.test:8443/'><a href='/x'>x</a>",
        kind="text/html",
    ),
    "soap fault": Case(
        f"<Fault><detail><id>{new_uuid()}</id></detail></Fault>",
        f"<Fault><detail><id>{new_uuid()}</id></detail></Fault>",
        kind="text/xml",
        method="POST",
    ),
    "prometheus-ish": Case(
        "process_start_time_seconds 1795428000.12\n",
        "process_start_time_seconds 1795428000.92\n",
        kind="text/plain",
    ),
    "signed url": Case(
        {
            "url": f"https://b.s3.amazonaws.com/k?X-Amz-Date=20261123T100000Z&X-Amz-Expires=60&X-Amz-Security-Token={new_base64(90).replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}&X-Amz-Signature={new_hex(64)}"
        },
        {
            "url": f"https://b.s3.amazonaws.com/k?X-Amz-Date=20261123T100001Z&X-Amz-Expires=60&X-Amz-Security-Token={new_base64(90).replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}&X-Amz-Signature={new_hex(64)}"
        },
    ),
    "azure sas": Case(
        {
            "url": f"https://a.blob.core.windows.net/c/b?se=2026-11-23T11%3A00%3A00Z&sp=r&sig={new_base64(32).replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}"
        },
        {
            "url": f"https://a.blob.core.windows.net/c/b?se=2026-11-23T11%3A00%3A01Z&sp=r&sig={new_base64(32).replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}"
        },
    ),
    "gcs": Case(
        {
            "url": f"https://storage.googleapis.com/b/o?Expires=1795431600&Signature={new_base64(256).replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}"
        },
        {
            "url": f"https://storage.googleapis.com/b/o?Expires=1795431601&Signature={new_base64(256).replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}"
        },
    ),
    "opaque access": Case(
        {"access_token": new_letters(40), "expires_in": 3600},
        {"access_token": new_letters(40), "expires_in": 3600},
        method="POST",
    ),
    "github token": Case(
        {"token": "ghp_" + new_letters(36)}, {"token": "ghp_" + new_letters(36)}, method="POST"
    ),
    "otp secretless code": Case(
        {"code": new_letters(43), "state": "xyz"}, {"code": new_letters(43), "state": "xyz"}, method="POST"
    ),
    "multi etag list no": Case(
        {"data": {"etag": new_hex(32), "updated": iso(NOW)}},
        {"data": {"etag": new_hex(32), "updated": iso(LATER)}},
    ),
    "sse": Case(
        'id: 1\nevent: tick\ndata: {"at":"%s"}\n\n' % zulu(NOW),
        'id: 1\nevent: tick\ndata: {"at":"%s"}\n\n' % zulu(LATER),
        kind="text/event-stream",
    ),
    "log lines": Case(
        f"2026-11-23T10:00:00.370Z INFO [{new_hex(32)}] done in 12ms\n",
        f"2026-11-23T10:00:01.170Z INFO [{new_hex(32)}] done in 18ms\n",
        kind="text/plain",
    ),
    "yaml": Case(
        f"generated: {zulu(NOW)}\nitems:\n- a\n",
        f"generated: {zulu(LATER)}\nitems:\n- a\n",
        kind="application/yaml",
    ),
    "boundary ctype": Case(
        "", "", kind="text/plain", first=[("X-Corr", new_uuid())], second=[("X-Corr", new_uuid())]
    ),
    "cookie django": Case(
        {},
        {},
        first=[
            (
                "Set-Cookie",
                f"csrftoken={new_letters(32).replace('-', 'x').replace('_', 'y')}; expires=Mon, 22 Nov 2027 10:00:00 GMT; Max-Age=31449600; Path=/; SameSite=Lax",
            )
        ],
        second=[
            (
                "Set-Cookie",
                f"csrftoken={new_letters(32).replace('-', 'x').replace('_', 'y')}; expires=Mon, 22 Nov 2027 10:00:01 GMT; Max-Age=31449600; Path=/; SameSite=Lax",
            )
        ],
    ),
    "cookie dom": Case(
        {},
        {},
        first=[("Set-Cookie", f"sid={new_hex(32)}; Domain=api.example.test")],
        second=[("Set-Cookie", f"sid={new_hex(32)}; Domain=shadow.test")],
    ),
    "cookie jsession": Case(
        {},
        {},
        first=[("Set-Cookie", f"JSESSIONID={new_hex(32).upper()}.node1; Path=/app; HttpOnly")],
        second=[("Set-Cookie", f"JSESSIONID={new_hex(32).upper()}.node2; Path=/app; HttpOnly")],
    ),
    "asp": Case(
        {},
        {},
        first=[("Set-Cookie", f"ASP.NET_SessionId={new_letters(24)}; path=/")],
        second=[("Set-Cookie", f"ASP.NET_SessionId={new_letters(24)}; path=/")],
    ),
    "age/expires hdr": Case({}, {}, first=[("Age", "12")], second=[]),
    "quota": Case(
        {"rate": {"limit": 60, "remaining": 59, "reset": int(NOW) + 3600}},
        {"rate": {"limit": 60, "remaining": 59, "reset": int(LATER) + 3600}},
    ),
    "pdf": Case(
        "%PDF-1.4\n/CreationDate (D:20261123100000Z)\n",
        "%PDF-1.4\n/CreationDate (D:20261123100001Z)\n",
        kind="application/pdf",
    ),
    "expires in text": Case(
        {"m": "Your code expires in 299 seconds"}, {"m": "Your code expires in 298 seconds"}
    ),
}

REAL = {
    "id": Case({"id": 42}, {"id": 43}),
    "str id": Case({"id": "42"}, {"id": "43"}),
    "due": Case({"due": "2026-12-23"}, {"due": "2026-12-24"}),
    "due ts": Case({"due": zulu(NOW + 86400 * 30)}, {"due": zulu(LATER + 86400 * 31)}),
    "today off": Case({"d": "2026-11-23"}, {"d": "2026-11-24"}),
    "today off de": Case({"d": "23.11.2026"}, {"d": "24.11.2026"}),
    "hour off": Case({"t": zulu(NOW)}, {"t": zulu(LATER + 3600)}),
    "ttl double": Case({"expires_at": zulu(NOW + 3600)}, {"expires_at": zulu(LATER + 7200)}),
    "created 2s": Case({"created_at": zulu(NOW - 86400 * 3)}, {"created_at": zulu(NOW - 86400 * 3 + 2)}),
    "created 3h ago 1s": Case({"created_at": zulu(NOW - 3 * 3600)}, {"created_at": zulu(NOW - 3 * 3600 + 1)}),
    "future appt 1m": Case({"at": "2026-12-01T10:00:00Z"}, {"at": "2026-12-01T10:01:00Z"}),
    "naive appt": Case({"at": "2026-11-23 14:00"}, {"at": "2026-11-23 15:00"}),
    "naive appt 1m": Case({"at": "2026-11-23 14:00"}, {"at": "2026-11-23 14:30"}),
    "unix stored": Case({"t": 1700000000}, {"t": 1700000001}),
    "unix day": Case({"t": int(NOW)}, {"t": int(LATER) + 86400}),
    "ms vs s": Case({"t": int(NOW)}, {"t": int(LATER * 1000)}),
    "ts vs null": Case({"t": zulu(NOW)}, {"t": None}),
    "ts vs empty": Case({"t": zulu(NOW)}, {"t": ""}),
    "ts zone lost": Case({"t": "2026-11-23T10:00:00Z"}, {"t": "2026-11-23T10:00:01"}),
    "ts fmt": Case({"t": "2026-11-23T10:00:00Z"}, {"t": "2026-11-23 10:00:01"}),
    "uuid path": Case(
        {"id": "7f8a1c1e-1a2b-4c3d-8e4f-112233445566"},
        {"id": new_uuid()},
        target="/x/7f8a1c1e-1a2b-4c3d-8e4f-112233445566",
    ),
    "uuid body": Case(
        {"ref": "7f8a1c1e-1a2b-4c3d-8e4f-112233445566"},
        {"ref": new_uuid()},
        method="POST",
        asked=b'{"ref":"7f8a1c1e-1a2b-4c3d-8e4f-112233445566"}',
    ),
    "uuid 1 char": Case({"id": ONE}, {"id": ONE[:-1] + "0"}),
    "uuid vs nil": Case({"id": new_uuid()}, {"id": "00000000-0000-0000-0000-000000000000"}),
    "uuid vs text": Case({"id": new_uuid()}, {"id": "none"}),
    "customer uuid": Case({"customer_id": new_uuid()}, {"customer_id": new_uuid()}),
    "nested owner": Case({"owner": {"id": new_uuid()}}, {"owner": {"id": new_uuid()}}),
    "listed uuid": Case({"items": [{"id": new_uuid(), "n": 1}]}, {"items": [{"id": new_uuid(), "n": 1}]}),
    "swap": Case({"a": ONE, "b": OTHER}, {"a": OTHER, "b": ONE}),
    "inconsistent": Case({"request_id": ONE, "echo": ONE}, {"request_id": new_uuid(), "echo": new_uuid()}),
    "sha": Case({"sha256": new_hex(64)}, {"sha256": new_hex(64)}),
    "md5": Case({"md5": new_hex(32)}, {"md5": new_hex(32)}),
    "commit": Case({"commit": new_hex(40)}, {"commit": new_hex(40)}),
    "checksum camel": Case({"fileChecksum": new_hex(64)}, {"fileChecksum": new_hex(64)}),
    "digest": Case({"d": "sha256:" + new_hex(64)}, {"d": "sha256:" + new_hex(64)}),
    "integrity": Case(
        f"<script src=a.js integrity='sha384-{new_base64(48)}'></script>",
        f"<script src=a.js integrity='sha384-{new_base64(48)}'></script>",
        kind="text/html",
    ),
    "isbn": Case({"isbn": "9783161484100"}, {"isbn": "9783161484117"}),
    "iban": Case({"iban": "DE89370400440532013000"}, {"iban": "DE89370400440532013001"}),
    "price cur": Case({"p": "10.00 EUR"}, {"p": "10.00 USD"}),
    "cur": Case({"c": "EUR"}, {"c": "USD"}),
    "order no": Case({"no": "ORD-2026-000123"}, {"no": "ORD-2026-000124"}),
    "version": Case({"v": "1.2.3"}, {"v": "1.2.4"}),
    "phone": Case({"p": "+491712345678"}, {"p": "+491712345679"}),
    "card": Case({"p": "4111111111111111"}, {"p": "4242424242424242"}),
    "dup": Case(b'{"a":1,"a":1}', b'{"a":1}'),
    "bigint": Case(b'{"a":9007199254740993}', b'{"a":9007199254740992}'),
    "float digits": Case(b'{"a":0.1}', b'{"a":0.10000000000000001}'),
    "num str": Case({"a": 1}, {"a": "1"}),
    "bool": Case({"a": True}, {"a": 1}),
    "null absent": Case({"a": None}, {}),
    "empty arr": Case({"a": []}, {"a": None}),
    "obj arr": Case({"a": {}}, {"a": []}),
    "foreign host": Case({"u": "https://api.example.test/a"}, {"u": "https://evil.test/a"}),
    "path": Case({"u": "https://api.example.test/a"}, {"u": "https://shadow.test:8443/b"}),
    "copy has primary's... scheme": Case({"u": "https://api.example.test/a"}, {"u": "http://shadow.test/a"}),
    "primary host vs subdomain": Case(
        {"u": "https://api.example.test/a"}, {"u": "https://api.shadow.test/a"}
    ),
    "duration biz": Case({"duration": 120}, {"duration": 121}),
    "runtime movie": Case({"runtime": 136}, {"runtime": 137}),
    "duration_ms track": Case({"duration_ms": 210000}, {"duration_ms": 210500}),
    "days ago": Case({"a": "3 days ago"}, {"a": "2 days ago"}),
    "hours": Case({"a": "3 hours ago"}, {"a": "3 minutes ago"}),
    "expires_in": Case({"expires_in": 3600}, {"expires_in": 7200}),
    "ttl": Case({"ttl": 300}, {"ttl": 301}),
    "b64 content": Case(
        {"content": base64.b64encode(b"hello world, this is content").decode()},
        {"content": base64.b64encode(b"hello world, this is Content").decode()},
    ),
    "b64 image": Case({"data": new_png()}, {"data": new_png()}),
    "cursor id": Case(
        {"next": base64.b64encode(b'{"id":42}').decode()}, {"next": base64.b64encode(b'{"id":43}').decode()}
    ),
    "slug": Case({"s": "blue-suede-shoes-42"}, {"s": "blue-suede-shoes-43"}),
    "words": Case({"s": "internationalization"}, {"s": "internationalisations"}),
    "cookie missing attr": Case(
        {},
        {},
        first=[("Set-Cookie", f"sid={new_hex(32)}; HttpOnly; Secure")],
        second=[("Set-Cookie", f"sid={new_hex(32)}; Secure")],
    ),
    "cookie samesite": Case(
        {},
        {},
        first=[("Set-Cookie", f"sid={new_hex(32)}; SameSite=Lax")],
        second=[("Set-Cookie", f"sid={new_hex(32)}; SameSite=None")],
    ),
    "cookie value": Case(
        {}, {}, first=[("Set-Cookie", "theme=dark")], second=[("Set-Cookie", "theme=light")]
    ),
    "cookie gone": Case({}, {}, first=[("Set-Cookie", f"sid={new_hex(32)}")], second=[]),
    "cookie maxage": Case(
        {},
        {},
        first=[("Set-Cookie", f"sid={new_hex(32)}; Max-Age=3600")],
        second=[("Set-Cookie", f"sid={new_hex(32)}; Max-Age=7200")],
    ),
    "cookie lang": Case({}, {}, first=[("Set-Cookie", "lang=en-US")], second=[("Set-Cookie", "lang=de-DE")]),
    "cookie empty": Case(
        {}, {}, first=[("Set-Cookie", f"sid={new_hex(32)}")], second=[("Set-Cookie", "sid=")]
    ),
    "etag version": Case({"a": 1}, {"a": 1}, first=[("ETag", '"42"')], second=[("ETag", '"43"')]),
    "etag v": Case({"a": 1}, {"a": 1}, first=[("ETag", '"v42"')], second=[("ETag", '"v43"')]),
    "etag missing": Case({"a": 1}, {"a": 1}, first=[("ETag", '"abc"')], second=[]),
    "weak": Case(
        {"a": 1}, {"a": 1}, first=[("ETag", f'"{new_hex(32)}"')], second=[("ETag", f'W/"{new_hex(32)}"')]
    ),
    "lastmod": Case(
        {"a": 1},
        {"a": 1},
        first=[("Last-Modified", "Mon, 01 Jun 2026 10:00:00 GMT")],
        second=[("Last-Modified", "Tue, 02 Jun 2026 10:00:00 GMT")],
    ),
    "cache": Case({}, {}, first=[("Cache-Control", "max-age=60")], second=[("Cache-Control", "max-age=600")]),
    "cors": Case({}, {}, first=[("Access-Control-Allow-Origin", "*")], second=[]),
    "loc path": Case(
        {},
        {},
        first=[("Location", "https://api.example.test/o/7")],
        second=[("Location", "https://shadow.test:8443/o/8")],
    ),
    "retry": Case({}, {}, first=[("Retry-After", "30")], second=[("Retry-After", "60")]),
    "xapp": Case({}, {}, first=[("X-Total-Count", "100")], second=[("X-Total-Count", "101")]),
    "csp": Case(
        {},
        {},
        first=[("Content-Security-Policy", "default-src 'self'")],
        second=[("Content-Security-Policy", "default-src *")],
    ),
    "hsts": Case({}, {}, first=[("Strict-Transport-Security", "max-age=31536000")], second=[]),
    "kind": Case('{"a":1}', "<html></html>"),
    "empty": Case('{"a":1}', ""),
    "order": Case({"a": [1, 2]}, {"a": [2, 1]}),
    "text line": Case("a\nb\nc\n", "a\nc\n", kind="text/plain"),
    "html text": Case("<p>Price: 10 €</p>", "<p>Price: 10 $</p>", kind="text/html"),
    "html attr": Case("<a href=/x>1</a>", "<a href=/y>1</a>", kind="text/html"),
    "xml attr": Case("<a b='1'/>", "<a b='2'/>", kind="text/xml"),
    "xml ns": Case("<a xmlns='u'/>", "<a xmlns='v'/>", kind="text/xml"),
    "xml ws": Case("<a>x</a>", "<a> x</a>", kind="text/xml"),
    "old objectid": Case({"id": "507f1f77bcf86cd799439011"}, {"id": "507f191e810c19729de860ea"}),
    "old ulid": Case({"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, {"id": "01BX5ZZKBKACTAV9WEVGEMMVRZ"}),
    "old uuid1": Case(
        {"id": "c232ab00-9414-11ec-b3c8-9e6bdeced846"}, {"id": "d4b1b0a0-9414-11ec-b3c8-9e6bdeced846"}
    ),
    "uuid5": Case(
        {"id": "886313e1-3b8a-5372-9b90-0c9aee199e5d"}, {"id": "74738ff5-5367-5958-9aee-98fffdcd1876"}
    ),
    "short code": Case({"code": "AB12CD"}, {"code": "AB12CE"}),
    "yt": Case({"video": "dQw4w9WgXcQ"}, {"video": "oHg5SJYRHA0"}),
    "href uuid": Case({"u": f"/orders/{new_uuid()}"}, {"u": f"/orders/{new_uuid()}"}),
    "gravatar": Case(
        {"avatar": f"https://gravatar.com/avatar/{new_hex(32)}"},
        {"avatar": f"https://gravatar.com/avatar/{new_hex(32)}"},
    ),
    "app hash file": Case(
        f"<script src='/app.{new_hex(20)}.js'></script>",
        f"<script src='/app.{new_hex(20)}.js'></script>",
        kind="text/html",
    ),
    "buster version": Case(
        "<script src='/a.js?v=1.2.3'></script>", "<script src='/a.js?v=1.2.4'></script>", kind="text/html"
    ),
    "random dropped": Case({"token": new_hex(32)}, {"token": new_hex(16)}),
    "uuid dashes": Case({"request_id": new_uuid()}, {"request_id": new_uuid().replace("-", "")}),
    "jwt sub": Case(
        {"t": jwt({"sub": "1", "iat": int(NOW), "exp": int(NOW) + 900})},
        {"t": jwt({"sub": "2", "iat": int(LATER), "exp": int(LATER) + 900})},
    ),
    "jwt role": Case({"t": jwt({"sub": "1", "role": "user"})}, {"t": jwt({"sub": "1", "role": "admin"})}),
    "jwt life": Case(
        {"t": jwt({"sub": "1", "iat": int(NOW), "exp": int(NOW) + 900})},
        {"t": jwt({"sub": "1", "iat": int(LATER), "exp": int(LATER) + 1800})},
    ),
    "graphql listed id post": Case(
        {"data": {"users": [{"id": new_uuid(), "n": "a"}]}},
        {"data": {"users": [{"id": new_uuid(), "n": "a"}]}},
        method="POST",
        asked=b'{"query":"{ users { id n } }"}',
    ),
    "list swap objs": Case(
        {"i": [{"id": 1, "n": "a"}, {"id": 2, "n": "b"}]}, {"i": [{"id": 2, "n": "b"}, {"id": 1, "n": "a"}]}
    ),
    "pagination next": Case(
        {"next": "https://api.example.test/a?page=2"}, {"next": "https://shadow.test:8443/a?page=3"}
    ),
    "gql err": Case({"data": None, "errors": [{"message": "x"}]}, {"data": {"a": 1}}),
    "neg zero": Case(b'{"a":0}', b'{"a":"0"}'),
    "unicode nfc": Case({"a": "é"}, {"a": "é"}),
    "case": Case({"a": "ABC"}, {"a": "abc"}),
    "trailing space": Case({"a": "x "}, {"a": "x"}),
    "email": Case({"e": "a@api.example.test"}, {"e": "b@shadow.test"}),
    "amount str": Case({"a": "1000000000.00"}, {"a": "1000000001.00"}),
    "unix-like id": Case({"order": 1795428000}, {"order": 1795430000}),
    "future unix odd": Case({"t": int(NOW) + 12345}, {"t": int(LATER) + 12399}),
    "date swap dmy": Case({"d": "03.04.2026"}, {"d": "04.03.2026"}),
    "birth": Case({"b": "1990-05-01"}, {"b": "1990-05-02"}),
    "year": Case({"y": 2025}, {"y": 2026}),
    "appointment tz": Case({"t": "2026-12-01T10:00:00+01:00"}, {"t": "2026-12-01T10:00:00+02:00"}),
    "valid_until 30 vs 31": Case(
        {"valid_until": zulu(NOW + 30 * 86400)}, {"valid_until": zulu(LATER + 31 * 86400)}
    ),
    "valid_until 1s before? day end": Case(
        {"valid_until": "2026-12-23T23:59:59Z"}, {"valid_until": "2026-12-23T23:59:58Z"}
    ),
    "month end": Case({"valid_until": "2026-11-30"}, {"valid_until": "2026-12-01"}),
    "sms code": Case({"otp": "123456"}, {"otp": "654321"}),
    "coupon": Case({"coupon": "SAVE20NOW"}, {"coupon": "SAVE30NOW"}),
    "plate": Case({"p": "LATER-AB 1234"}, {"p": "LATER-AB 1235"}),
    "track no": Case({"tracking": "1Z999AA10123456784"}, {"tracking": "1Z999AA10123456785"}),
    "track other": Case({"tracking": "1Z999AA10123456784"}, {"tracking": "1Z12345E6605272234"}),
    "vin": Case({"vin": "1HGCM82633A004352"}, {"vin": "JH4KA8260MC000000"}),
    "bic": Case({"b": "DEUTDEFF"}, {"b": "COBADEFF"}),
    "btc": Case(
        {"addr": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"}, {"addr": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"}
    ),
    "public key": Case(
        {"public_key": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" + new_base64(60)},
        {"public_key": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" + new_base64(60)},
    ),
    "git short": Case({"rev": "a1b2c3d"}, {"rev": "d4e5f6a"}),
    "build": Case({"build": "20261101.3"}, {"build": "20261101.4"}),
    "password hash": Case(
        {"password_hash": "$2b$12$" + new_letters(53)}, {"password_hash": "$2b$12$" + new_letters(53)}
    ),
    "api key get": Case({"api_key": new_hex(40)}, {"api_key": new_hex(40)}),
    "color": Case({"c": "#ff0000"}, {"c": "#00ff00"}),
    "geo": Case({"lat": 52.52}, {"lat": 52.53}),
    "mac": Case({"mac": "00:1B:44:11:3A:B7"}, {"mac": "00:1B:44:11:3A:B8"}),
    "ip": Case({"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}),
    "related products": Case(
        {"related": [new_uuid(), new_uuid(), new_uuid()]}, {"related": [new_uuid(), new_uuid(), new_uuid()]}
    ),
    "map uuid keys": Case({"users": {new_uuid(): {"n": "a"}}}, {"users": {new_uuid(): {"n": "a"}}}),
    "stale ts one side": Case({"updated": zulu(NOW)}, {"updated": zulu(NOW - 3600)}),
    "stale both": Case({"updated": zulu(NOW - 120)}, {"updated": zulu(NOW - 300)}),
    "scheme dn in json same host": Case({"u": "https://cdn.test/a"}, {"u": "http://cdn.test/a"}),
    "port": Case({"u": "https://api.example.test/a"}, {"u": "https://api.example.test:8443/a"}),
    "leaks primary host? other": Case({"u": "https://internal-db:5432"}, {"u": "https://shadow-db:5432"}),
    "dup header val": Case({}, {}, first=[("X-A", "1"), ("X-A", "2")], second=[("X-A", "1")]),
    "status text": Case({"s": "ACTIVE"}, {"s": "INACTIVE"}),
    "empty str null": Case({"a": ""}, {"a": None}),
    "ws in json str": Case({"a": "x  y"}, {"a": "x y"}),
    "int float str": Case({"a": "1"}, {"a": "1.0"}),
    "nested arr": Case({"a": [[1, 2], [3]]}, {"a": [[1], [2, 3]]}),
    "csv col": Case("a,b\n1,2\n", "a,b\n1,3\n", kind="text/csv"),
    "xml order": Case("<a><b>1</b><c>2</c></a>", "<a><c>2</c><b>1</b></a>", kind="text/xml"),
    "html class": Case("<p class=a>x</p>", "<p class=b>x</p>", kind="text/html"),
    "html hidden id": Case(
        "<input name=order_id value=42>", "<input name=order_id value=43>", kind="text/html"
    ),
    "session missing": Case({"session": new_uuid()}, {"session": ""}),
    "token type": Case({"token_type": "Bearer"}, {"token_type": "MAC"}),
    "request_id int": Case({"request_id": 42}, {"request_id": 43}),
    "took neg": Case({"took": 5}, {"took": -1}),
    "took huge": Case({"took": 5}, {"took": 99999}),
    "message id seq": Case({"message_id": "M-10001"}, {"message_id": "M-10002"}),
    "trace flag": Case(
        {"traceparent": f"00-{new_hex(32)}-{new_hex(16)}-01"},
        {"traceparent": f"00-{new_hex(32)}-{new_hex(16)}-00"},
    ),
    "exp unix plus 1d": Case({"exp": int(NOW) + 3600}, {"exp": int(LATER) + 3600 + 86400}),
    "nbf": Case({"jwt": 1}, {"jwt": 2}),
}


@pytest.mark.parametrize("case", NOISE.values(), ids=NOISE.keys())
def test_noise_is_no_difference(case: Case) -> None:
    verdict = case.judge()
    assert (verdict.verdict, found(verdict)) == ("match", [])


@pytest.mark.parametrize("case", REAL.values(), ids=REAL.keys())
def test_what_only_looks_like_noise_is_a_difference(case: Case) -> None:
    verdict = case.judge()
    assert verdict.verdict == "differ", verdict.set_aside


@pytest.mark.parametrize("case", [c for c in NOISE.values() if c.primary != c.copy], ids=str)
def test_noise_in_a_body_is_listed(case: Case) -> None:
    assert case.judge().set_aside
