"""Services of many kinds, each a function of what is stored (`stable`) and of the side that answers."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from tests.compare.corpus.pair import Noise, Reply, Side, as_json, digest, plain

NAMES = ["Ada", "Grace", "Jürgen", "Zoë", "Łukasz", "奈々", "Omar", "Priya", "Søren", "Chloé"]
WORDS = [
    "amber",
    "basalt",
    "cobalt",
    "dune",
    "ember",
    "fjord",
    "grove",
    "harbor",
    "island",
    "juniper",
    "kelp",
    "lagoon",
    "meadow",
    "nectar",
    "opal",
]
CURRENCIES = ["EUR", "USD", "GBP", "JPY", "CHF"]


def stored_uuid(stable: random.Random) -> str:
    return str(uuid.UUID(int=stable.getrandbits(128), version=4))


def stored_time(stable: random.Random, side: Side, days: int = 400) -> str:
    """A time long before now, to the second, that does not hang on the moment."""
    day = datetime.fromtimestamp(side.now // 86400 * 86400, UTC) - timedelta(days=stable.randint(2, days))
    return (day + timedelta(seconds=stable.randrange(86400))).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(side: Side, away: int) -> str:
    return (datetime.fromtimestamp(side.now, UTC) + timedelta(days=away)).strftime("%Y-%m-%d")


def person(stable: random.Random, side: Side) -> dict[str, object]:
    name = stable.choice(NAMES)
    return {
        "id": stable.randint(1, 9_000_000),
        "name": f"{name} {stable.choice(WORDS).title()}",
        "email": f"{stable.choice(WORDS)}{stable.randint(1, 999)}@example.org",
        "created_at": stored_time(stable, side),
        "verified": stable.random() < 0.5,
        "score": round(stable.uniform(0, 100), 3),
        "tags": stable.sample(WORDS, 3),
        "manager_id": stored_uuid(stable),
        "address": {
            "street": f"{stable.randint(1, 200)} {stable.choice(WORDS)} road",
            "zip": str(stable.randint(10000, 99999)),
        },
        "nickname": None,
    }


def rest_user(stable: random.Random, side: Side) -> Reply:
    body = person(stable, side)
    body["links"] = {
        "self": Noise(f"{side.base}/users/{body['id']}"),
        "avatar": f"https://cdn.example.net/{digest(str(body['id']))}.png",
    }
    body["meta"] = {"requestId": side.request_id(), "servedAt": side.time(), "version": "3.4.1"}
    return Reply(body, as_json, headers=common(side), target=f"/users/{body['id']}")


def rest_list(stable: random.Random, side: Side) -> Reply:
    page = stable.randint(1, 9)
    items = [person(stable, side) for _ in range(stable.randint(3, 25))]
    body = {
        "data": items,
        "page": {
            "number": page,
            "size": len(items),
            "total": stable.randint(100, 9999),
            "next": Noise(f"{side.base}/people?page={page + 1}"),
            "prev": Noise(f"{side.base}/people?page={page - 1}"),
        },
        "timestamp": side.unix(),
    }
    headers = [*common(side), ("Link", Noise(f'<{side.base}/people?page={page + 1}>; rel="next"'))]
    return Reply(body, as_json, headers=headers, target=f"/people?page={page}")


def order_created(stable: random.Random, side: Side) -> Reply:
    number = side.uuid()
    lines = [
        {
            "sku": f"SKU-{stable.randint(1000, 9999)}",
            "qty": stable.randint(1, 5),
            "unitPrice": {"amount": round(stable.uniform(1, 500), 2), "currency": stable.choice(CURRENCIES)},
        }
        for _ in range(stable.randint(1, 6))
    ]
    asked = json.dumps({"lines": lines}).encode()
    body = {
        "orderId": number,
        "status": "PENDING",
        "createdAt": side.time(),
        "lines": lines,
        "dueDate": day(side, 30),
        "payBefore": side.time(3600 * 24),
        "customerNumber": f"C-{stable.randint(10000, 99999)}",
        "etag": Noise(digest(str(number))),
        "total": round(sum(stable.uniform(1, 9) for _ in lines), 2),
    }
    headers = [*common(side), ("Location", Noise(f"/orders/{number}"))]
    return Reply(
        body, as_json, status=201, method="POST", target="/orders", request_body=asked, headers=headers
    )


def graphql(stable: random.Random, side: Side) -> Reply:
    products = [
        {
            "node": {
                "id": base64.b64encode(f"Product:{stable.randint(1, 99999)}".encode()).decode(),
                "title": stable.choice(WORDS),
                "isbn": "978" + str(stable.randint(10**9, 10**10 - 1)),
                "price": {
                    "amount": f"{stable.uniform(1, 99):.2f}",
                    "currencyCode": stable.choice(CURRENCIES),
                },
            },
            "cursor": base64.b64encode(json.dumps({"o": i, "k": stable.choice(WORDS)}).encode()).decode(),
        }
        for i in range(stable.randint(2, 12))
    ]
    body = {
        "data": {
            "products": {
                "edges": products,
                "pageInfo": {"hasNextPage": True, "endCursor": products[-1]["cursor"]},
            }
        },
        "extensions": {
            "tracing": {
                "startTime": side.time(),
                "elapsedMs": Noise(side.rng.randint(1, 20)),
                "traceId": side.hex(32),
            },
            "cost": {"requestedQueryCost": stable.randint(2, 90)},
        },
    }
    asked = b'{"query":"query P { products { edges { node { id } } } }"}'
    return Reply(body, as_json, method="POST", target="/graphql", request_body=asked, headers=common(side))


def html_page(stable: random.Random, side: Side) -> Reply:
    body = {
        "title": f"{stable.choice(WORDS).title()} shop",
        "heading": stable.choice(WORDS),
        "rows": [
            {
                "name": stable.choice(WORDS),
                "price": f"{stable.uniform(1, 99):.2f}",
                "stock": stable.randint(0, 99),
            }
            for _ in range(stable.randint(2, 9))
        ],
        "csrf": side.token(32),
        "nonce": side.token(16),
        "bust": side.unix(),
        "host": Noise(side.base),
        "at": side.time(),
        "version": "v2.14.0",
        "asset": digest(str(stable.random()))[:12],
        "year": 2026,
        "trace": side.hex(32),
    }
    headers = [
        *common(side),
        ("Content-Security-Policy", Noise(f"default-src 'self'; script-src 'nonce-{body['nonce']}'")),
        ("Set-Cookie", Noise(f"_shop_session={side.token(48)}; Path=/; HttpOnly; SameSite=Lax")),
    ]
    return Reply(body, render_html, "text/html; charset=utf-8", headers=headers, target="/shop")


def render_html(value: object) -> bytes:
    b = plain(value)
    assert isinstance(b, dict)
    rows = "".join(
        f'<tr><td class="n">{escape(str(r["name"]))}</td><td>{r["price"]} €</td>'
        f'<td data-stock="{r["stock"]}">{r["stock"]} left</td></tr>'
        for r in b["rows"]
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{b["title"]}</title>
<meta name="csrf-token" content="{b["csrf"]}">
<link rel="stylesheet" href="/assets/app-{b["asset"]}.css?v={b["bust"]}">
<link rel="canonical" href="{b["host"]}/shop">
<script nonce="{b["nonce"]}">
window.APP = {{"env": "prod", "loadedAt": "{b["at"]}", "release": "{b["version"]}"}};</script></head>
<body><h1>{b["heading"]}</h1><form action="/cart" method="post">
<input type="hidden" name="authenticity_token" value="{b["csrf"]}">
<table>{rows}</table></form><p>Generated {b["at"]}<br>Trace: {b["trace"]}</p>
<footer>© {b["year"]} Shop</footer></body></html>""".encode()


def soap(stable: random.Random, side: Side) -> Reply:
    body = {
        "message": Noise("urn:uuid:" + str(side.uuid())),
        "created": side.time(),
        "expires": side.time(300),
        "amount": f"{stable.uniform(1, 9999):.2f}",
        "currency": stable.choice(CURRENCIES),
        "account": f"DE{stable.randint(10**19, 10**20 - 1)}",
        "entries": [
            {"ref": f"R{stable.randint(10**5, 10**6)}", "text": stable.choice(WORDS)}
            for _ in range(stable.randint(1, 8))
        ],
    }
    return Reply(
        body,
        render_soap,
        "text/xml; charset=utf-8",
        method="POST",
        target="/soap/accounts",
        headers=common(side),
        request_body=b"<Envelope/>",
    )


def render_soap(value: object) -> bytes:
    b = plain(value)
    assert isinstance(b, dict)
    entries = "".join(f'<b:Entry ref="{e["ref"]}">{e["text"]}</b:Entry>' for e in b["entries"])
    return f"""<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>
<a:MessageID>{b["message"]}</a:MessageID><Timestamp><Created>{b["created"]}</Created><Expires>{b["expires"]}</Expires></Timestamp></s:Header>
<s:Body><b:Balance xmlns:b="urn:bank" account="{b["account"]}">
<b:Amount currency="{b["currency"]}">{b["amount"]}</b:Amount>
<b:Entries>{entries}</b:Entries></b:Balance></s:Body></s:Envelope>""".encode()


def feed(stable: random.Random, side: Side) -> Reply:
    body = {
        "updated": Noise(datetime.fromtimestamp(side.now, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")),
        "host": Noise(side.base),
        "items": [
            {
                "title": f"{stable.choice(WORDS)} {stable.randint(1, 99)}",
                "guid": stored_uuid(stable),
                "slug": stable.choice(WORDS),
                "date": stored_time(stable, side),
                "text": " ".join(stable.choices(WORDS, k=12)),
            }
            for _ in range(stable.randint(2, 10))
        ],
    }
    return Reply(body, render_feed, "application/rss+xml", headers=common(side), target="/feed.xml")


def render_feed(value: object) -> bytes:
    b = plain(value)
    assert isinstance(b, dict)
    items = "".join(
        f'<item><title>{i["title"]}</title><guid isPermaLink="false">urn:uuid:{i["guid"]}</guid>'
        f"<link>{b['host']}/p/{i['slug']}</link>"
        f"<pubDate>{i['date']}</pubDate><description>{i['text']}</description></item>"
        for i in b["items"]
    )
    head = f"<title>News</title><link>{b['host']}/</link><lastBuildDate>{b['updated']}</lastBuildDate>"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()


def problem(stable: random.Random, side: Side) -> Reply:
    asked = stored_uuid(stable)
    kind = stable.choice(["not-found", "conflict", "validation"])
    body = {
        "type": f"https://errors.example.org/{kind}",
        "title": kind.title(),
        "status": 404,
        "detail": Noise(f"Order {asked} was not found (trace {side.hex(32)})"),
        "instance": Noise(f"urn:uuid:{side.uuid()}"),
        "timestamp": side.time(),
        "code": f"E{stable.randint(1000, 9999)}",
        "path": f"/orders/{asked}",
    }
    return Reply(body, as_json, "application/problem+json", 404, common(side), target=f"/orders/{asked}")


def binary(stable: random.Random, side: Side) -> Reply:
    data = b"\x89PNG\r\n\x1a\n" + stable.randbytes(stable.randint(50, 3000))
    return Reply(
        data,
        lambda v: v if isinstance(v, bytes) else bytes(str(v), "latin-1"),
        "image/png",
        headers=common(side),
        target="/logo.png",
    )


def csv_export(stable: random.Random, side: Side) -> Reply:
    body = {
        "at": side.time(),
        "rows": [
            {
                "id": stable.randint(1, 10**6),
                "name": stable.choice(NAMES),
                "amount": f"{stable.uniform(1, 1e5):.2f}",
                "booked": stored_time(stable, side)[:10],
            }
            for _ in range(stable.randint(3, 40))
        ],
    }
    return Reply(body, render_csv, "text/csv; charset=utf-8", headers=common(side), target="/export.csv")


def render_csv(value: object) -> bytes:
    b = plain(value)
    assert isinstance(b, dict)
    rows = "\r\n".join(f"{r['id']};{r['name']};{r['amount']};{r['booked']}" for r in b["rows"])
    return f"# exported {b['at']}\r\nid;name;amount;booked\r\n{rows}\r\n".encode()


def token(stable: random.Random, side: Side) -> Reply:
    lasts = stable.choice([300, 900, 3600, 86400])
    claims = {
        "sub": str(stable.randint(1, 10**6)),
        "iss": "https://id.example.org",
        "aud": "shop",
        "iat": int(side.now),
        "exp": int(side.now) + lasts,
        "jti": str(side.uuid()),
        "scope": "read write",
    }
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT","kid":"k1"}').decode().rstrip("=")
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    body = {
        "access_token": Noise(f"{head}.{middle}.{side.token(64)}"),
        "token_type": "Bearer",
        "expires_in": lasts,
        "refresh_token": side.token(32),
        "scope": "read write",
        "user_id": stable.randint(1, 10**6),
    }
    return Reply(
        body,
        as_json,
        method="POST",
        target="/oauth/token",
        headers=common(side),
        request_body=b"grant_type=password",
    )


def login(stable: random.Random, side: Side) -> Reply:
    user = {"id": stored_uuid(stable), "name": stable.choice(NAMES)}
    body = {
        "ok": True,
        "user": user,
        "csrfToken": side.token(24),
        "session": {"id": side.hex(32), "expiresAt": side.time(1800)},
    }
    asked = json.dumps({"user": user["id"]}).encode()
    expires = datetime.fromtimestamp(side.now + 86400 * 7, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = [
        *common(side),
        ("Set-Cookie", Noise(f"sid={side.hex(40)}; Path=/; HttpOnly; Secure; SameSite=Strict")),
        (
            "Set-Cookie",
            Noise(f"remember={side.token(40)}; Path=/; Expires={expires}; Max-Age=604800; Secure"),
        ),
        ("Set-Cookie", "theme=dark; Path=/"),
    ]
    return Reply(body, as_json, method="POST", target="/login", headers=headers, request_body=asked)


def search(stable: random.Random, side: Side) -> Reply:
    hits = [
        {
            "_id": str(stable.randint(1, 10**7)),
            "_score": round(stable.uniform(0.1, 20), 6),
            "_source": {
                "title": stable.choice(WORDS),
                "year": stable.randint(1950, 2026),
                "body": " ".join(stable.choices(WORDS, k=8)),
            },
        }
        for _ in range(stable.randint(0, 12))
    ]
    body = {
        "took": Noise(side.rng.randint(1, 12)),
        "timed_out": False,
        "_shards": {"total": 5, "successful": 5},
        "hits": {"total": {"value": stable.randint(0, 10**6), "relation": "eq"}, "hits": hits},
        "query_time_ms": Noise(round(side.rng.uniform(0.1, 9), 3)),
        "pit_id": side.token(48),
        "scroll_id": side.token(60),
    }
    return Reply(
        body, as_json, method="POST", target="/search", headers=common(side), request_body=b'{"q":"amber"}'
    )


def series(stable: random.Random, side: Side) -> Reply:
    start = int(side.now) // 3600 * 3600 - 86400
    body = {
        "metric": stable.choice(WORDS),
        "unit": "°C",
        "generatedAt": side.unix(),
        "points": [
            {"t": start + 600 * i, "v": round(stable.gauss(20, 5), 2)} for i in range(stable.randint(5, 60))
        ],
        "window": {"from": start, "to": start + 86400},
        "nextUpdateAt": side.time(60),
    }
    return Reply(body, as_json, headers=common(side), target="/series")


def ndjson(stable: random.Random, side: Side) -> Reply:
    rows = [
        {
            "seq": i,
            "level": stable.choice(["info", "warn"]),
            "msg": " ".join(stable.choices(WORDS, k=4)),
            "ts": stored_time(stable, side),
        }
        for i in range(stable.randint(2, 20))
    ]
    rows.append({"seq": len(rows), "level": "info", "msg": "stream closed", "ts": side.time()})
    return Reply(
        rows,
        render_rows,
        "application/x-ndjson",
        headers=common(side),
        target="/log",
    )


def render_rows(value: object) -> bytes:
    assert isinstance(value, list)
    return b"".join(as_json(row) + b"\n" for row in value)


def form(stable: random.Random, side: Side) -> Reply:
    body = {
        "ACK": "Success",
        "AMT": f"{stable.uniform(1, 99):.2f}",
        "CURRENCYCODE": stable.choice(CURRENCIES),
        "TIMESTAMP": side.time(),
        "CORRELATIONID": side.hex(16),
        "TOKEN": Noise("EC-" + str(side.hex(17)).upper()),
        "PAYERID": stable.choice(WORDS).upper(),
    }
    return Reply(
        body,
        render_form,
        "application/x-www-form-urlencoded",
        method="POST",
        target="/nvp",
        headers=common(side),
    )


def render_form(value: object) -> bytes:
    from urllib.parse import urlencode

    b = plain(value)
    assert isinstance(b, dict)
    return urlencode(b).encode()


def health(stable: random.Random, side: Side) -> Reply:
    body = {
        "status": "UP",
        "host": Noise(side.host),
        "uptime": Noise(side.rng.randint(100, 10**6)),
        "time": side.unix(),
        "version": "1.8.2",
        "commit": digest(str(stable.random()))[:40],
        "checks": dict.fromkeys(stable.sample(WORDS, 3), "ok"),
    }
    return Reply(body, as_json, headers=common(side), target="/health")


def presigned(stable: random.Random, side: Side) -> Reply:
    at = datetime.fromtimestamp(side.now, UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{stable.choice(WORDS)}-{stable.randint(1, 999)}.pdf"
    url = (
        f"https://bucket.s3.example.com/invoices/{name}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={at}&X-Amz-Expires=900"
        f"&X-Amz-Signature={side.hex(64)}"
    )
    body = {
        "file": {"name": name, "size": stable.randint(1000, 10**7), "sha256": digest(name)},
        "downloadUrl": Noise(url),
        "expiresAt": side.time(900),
    }
    return Reply(body, as_json, headers=common(side), target=f"/files/{name}/link")


def job(stable: random.Random, side: Side) -> Reply:
    number = side.ulid()
    body = {
        "job": {
            "id": number,
            "state": "queued",
            "kind": stable.choice(WORDS),
            "submitted": side.time(),
            "priority": stable.randint(0, 9),
            "status_url": Noise(f"{side.base}/jobs/{number}"),
        },
        "estimated_seconds": stable.randint(5, 600),
    }
    return Reply(
        body,
        as_json,
        status=202,
        method="POST",
        target="/jobs",
        headers=[*common(side), ("Retry-After", "30")],
        request_body=b"{}",
    )


def plain_text(stable: random.Random, side: Side) -> Reply:
    body = {
        "at": side.time(),
        "id": side.uuid(),
        "lines": [
            " ".join(stable.choices(WORDS, k=6)) + f" {stable.randint(1, 999)}"
            for _ in range(stable.randint(1, 12))
        ],
    }
    return Reply(body, render_text, "text/plain; charset=utf-8", headers=common(side), target="/status.txt")


def render_text(value: object) -> bytes:
    b = plain(value)
    assert isinstance(b, dict)
    return (
        "Status report\n" + "\n".join(b["lines"]) + f"\ngenerated at {b['at']}\nrequest id: {b['id']}\n"
    ).encode()


def redirect(stable: random.Random, side: Side) -> Reply:
    headers = [
        *common(side),
        (
            "Location",
            Noise(f"{side.base}/login?next=%2Faccount%2F{stable.randint(1, 999)}&state={side.token(24)}"),
        ),
    ]
    return Reply(b"", lambda v: b"", "text/html", 302, headers, target="/account")


def common(side: Side) -> list[tuple[str, object]]:
    """Headers as servers and the proxies before them send them."""
    at = datetime.fromtimestamp(side.now, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    return [
        ("Date", Noise(at)),
        ("Server", Noise(side.rng.choice(["nginx", "nginx/1.25", "envoy"]))),
        ("X-Request-Id", side.uuid()),
        ("Cache-Control", "private, max-age=60"),
        ("Vary", "Accept, Origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("ETag", Noise(f'"{side.hex(32)}"')),
        ("Server-Timing", Noise(f"db;dur={side.rng.uniform(0, 9):.2f}")),
    ]


SERVICES: dict[str, Callable[[random.Random, Side], Reply]] = {
    f.__name__: f
    for f in (
        rest_user,
        rest_list,
        order_created,
        graphql,
        html_page,
        soap,
        feed,
        problem,
        binary,
        csv_export,
        token,
        login,
        search,
        series,
        ndjson,
        form,
        health,
        presigned,
        job,
        plain_text,
        redirect,
    )
}
