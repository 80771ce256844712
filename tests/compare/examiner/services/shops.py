"""Shops: products, a GraphQL shop with cursors, HAL orders, JSON:API articles, a Japanese shop, a cart page's API."""

from __future__ import annotations

import base64
import json
from datetime import timedelta, timezone

from tests.compare.examiner.edits import day_off
from tests.compare.examiner.fault import drop, grow, header, lose_header, put
from tests.compare.examiner.reply import Json, Reply
from tests.compare.examiner.service import Service
from tests.compare.examiner.world import Side, World, http_date, millis, zulu


def _products(world: World, side: Side) -> Reply:
    products = []
    for _ in range(world.number(2, 4)):
        number = world.number(6 * 10**12, 9 * 10**12)
        products.append(
            {
                "id": number,
                "title": world.title(),
                "body_html": f"<p>{world.sentence()} <a href='{side.url}/pages/size'>Größen</a></p>",
                "vendor": world.word().title(),
                "created_at": world.past()
                .astimezone(timezone(timedelta(hours=-5)))
                .isoformat(timespec="seconds"),
                "published_at": None,
                "tags": ", ".join(world.dice.sample(("new", "sale", "eco", "xl"), 3)),
                "admin_graphql_api_id": f"gid://shopify/Product/{number}",
                "variants": [
                    {
                        "id": world.number(4 * 10**13, 5 * 10**13),
                        "price": world.price(),
                        "compare_at_price": None,
                        "sku": f"{world.word()[:3].upper()}-{world.number(100, 999)}",
                        "grams": world.number(1, 900),
                        "taxable": True,
                        "barcode": "",
                    }
                    for _ in range(3)
                ],
                "images": [],
                "image": {
                    "src": f"https://cdn.shop.example/s/files/{world.number(1, 99)}/a.jpg?v={int(world.past().timestamp())}"
                },
            }
        )
    return Reply(
        {"products": products},
        headers=[
            ("Link", f'<{side.url}/admin/products.json?limit=3&page_info={world.base62(60)}>; rel="next"'),
            ("X-Shopify-Shop-Api-Call-Limit", "1/40"),
            ("X-Stats-UserId", "77"),
            (
                "Set-Cookie",
                f"_y={side.uuid()}; Expires={http_date(side.now(days=365))}; Path=/; SameSite=Lax",
            ),
            ("X-Frame-Options", "DENY"),
        ],
        target="/admin/products.json?limit=3",
    )


_PRODUCT_FAULTS = (
    put("price", "products", 0, "variants", 1, "price", to=lambda v: f"{float(v) + 0.01:.2f}"),
    put("price as a number", "products", 0, "variants", 1, "price", to=float),
    put("price without its zeros", "products", 1, "variants", 0, "price", to=lambda v: v + "0"),
    put(
        "big id lost its last digit",
        "products",
        1,
        "variants",
        2,
        "id",
        to=lambda v: v // 10 * 10 + (v + 1) % 10,
    ),
    put("big id", "products", 0, "id", to=lambda v: v + 1),
    put("global id", "products", 0, "admin_graphql_api_id", to=lambda v: v + "0"),
    put(
        "kind of a global id",
        "products",
        1,
        "admin_graphql_api_id",
        to=lambda v: v.replace("Product", "Variant"),
    ),
    put("sku", "products", 1, "variants", 1, "sku", to=lambda v: v[:-1] + str((int(v[-1]) + 1) % 10)),
    put("taxable", "products", 0, "variants", 0, "taxable", to=lambda _: False),
    put("boolean as a number", "products", 0, "variants", 0, "taxable", to=lambda _: 1),
    put("empty list became null", "products", 0, "images", to=lambda _: None),
    put("empty text became null", "products", 1, "variants", 2, "barcode", to=lambda _: None),
    put("markup", "products", 1, "body_html", to=lambda v: v.replace("<p>", "<div>")),
    put(
        "link target in markup",
        "products",
        1,
        "body_html",
        to=lambda v: v.replace("/pages/size", "/pages/sizes"),
    ),
    put("text beside a host", "products", 0, "body_html", to=lambda v: v.replace("Größen", "Grössen")),
    put("order of tags", "products", 0, "tags", to=lambda v: ", ".join(reversed(v.split(", ")))),
    put("zone moved the instant", "products", 0, "created_at", to=lambda v: v.replace("-05:00", "-04:00")),
    put("picture's version", "products", 0, "image", "src", to=lambda v: v[:-1] + str((int(v[-1]) + 1) % 10)),
    put("variants reversed", "products", 1, "variants", to=lambda v: v[::-1], most=4),
    drop("variant missing", "products", 0, "variants", 1),
    drop("null became absent", "products", 1, "published_at"),
    grow("null appeared", "products", 1, "variants", 0, key="position", value=None),
    header("cookie's SameSite", "Set-Cookie", lambda v: v.replace("Lax", "None")),
    header("cookie's name", "Set-Cookie", lambda v: v.replace("_y=", "_z="))._replace(most=2),
    header(
        "cookie lives shorter", "Set-Cookie", lambda v: v.replace(v.split()[4], str(int(v.split()[4]) + 3))
    ),
    header("limit of the next page", "Link", lambda v: v.replace("limit=3", "limit=30")),
    header("call limit", "X-Shopify-Shop-Api-Call-Limit", lambda _: "1/80"),
    lose_header("frame options lost", "X-Frame-Options"),
)


def _relay(world: World, side: Side) -> Reply:
    edges = [
        {
            "cursor": base64.b64encode(f"arrayconnection:{10 + index}".encode()).decode(),
            "node": {
                "__typename": "Review",
                "id": base64.b64encode(f"Review:{world.number(1, 9999)}".encode()).decode(),
                "stars": world.number(1, 5),
                "author": {"name": world.name(), "avatar": f"{side.url}/a/{world.number(1, 99)}.png"},
                "writtenAt": millis(world.past()),
            },
        }
        for index in range(world.number(3, 6))
    ]
    page = {"hasNextPage": True, "endCursor": edges[-1]["cursor"], "startCursor": edges[0]["cursor"]}
    tracing = {
        "version": 1,
        "startTime": millis(side.now(milliseconds=-8)),
        "endTime": millis(side.now()),
        "duration": side.dice.randint(10**6, 9 * 10**8),
    }
    return Reply(
        {
            "data": {"product": {"reviews": {"edges": edges, "pageInfo": page, "totalCount": 88}, "viewerNonce": side.hex(32)}},
            "extensions": {"tracing": tracing, "requestId": side.uuid(), "cost": {"requestedQueryCost": 12}},
        },
        "application/graphql-response+json; charset=utf-8",
        headers=[("traceparent", side.trace()), ("Vary", "Origin")],
        method="POST", target="/graphql", request_body='{"query":"{product{reviews{edges{cursor}}}}"}',
    )  # fmt: skip


_AT = ("data", "product", "reviews")
_RELAY_FAULTS = (
    put("cursor", *_AT, "edges", 1, "cursor", to=lambda _: base64.b64encode(b"arrayconnection:99").decode()),
    put(
        "end cursor",
        *_AT,
        "pageInfo",
        "endCursor",
        to=lambda _: base64.b64encode(b"arrayconnection:99").decode(),
    ),
    put("opaque id", *_AT, "edges", 0, "node", "id", to=lambda _: base64.b64encode(b"Review:12345").decode()),
    put("kind of an opaque id", *_AT, "edges", 0, "node", "id", to=lambda v: _recode(v, "Review", "Answer")),
    put("stars", *_AT, "edges", 2, "node", "stars", to=lambda v: 6 - v if v != 3 else 4),
    put("type name", *_AT, "edges", 1, "node", "__typename", to=lambda _: "Comment"),
    put(
        "avatar beside a host",
        *_AT,
        "edges",
        1,
        "node",
        "author",
        "avatar",
        to=lambda v: v.replace(".png", ".gif"),
    ),
    put("mojibake", *_AT, "edges", 1, "node", "author", "name", to=lambda v: f"{v} ã©"),
    put("total", *_AT, "totalCount", to=lambda _: 89),
    put("has next", *_AT, "pageInfo", "hasNextPage", to=lambda _: False),
    put("node null", *_AT, "edges", 2, "node", to=lambda _: None),
    put("author null", *_AT, "edges", 0, "node", "author", to=lambda _: None),
    put("cost", "extensions", "cost", "requestedQueryCost", to=lambda _: 13),
    drop("edge missing", *_AT, "edges", 1),
    grow("errors added", key="errors", value=[{"message": "Internal", "path": ["product"]}]),
    put("data null", "data", to=lambda _: None),
    put(
        "written a second off",
        *_AT,
        "edges",
        0,
        "node",
        "writtenAt",
        to=lambda v: f"{v[:17]}{(int(v[17:19]) + 1) % 60:02d}{v[19:]}",
    ),
    header("vary", "Vary", lambda _: "Accept-Encoding"),
)


def _recode(value: str, old: str, new: str) -> str:
    return base64.b64encode(base64.b64decode(value).decode().replace(old, new).encode()).decode()


def _orders(world: World, side: Side) -> Reply:
    customer = world.uuid()
    orders = [
        {
            "_links": {
                "self": {"href": f"{side.url}/orders/{number}"},
                "customer": {"href": f"{side.url}/customers/{customer}{{?projection}}", "templated": True},
            },
            "number": number,
            "customerId": customer,
            "correlationId": side.uuid(),
            "total": {"amount": world.cents() / 100, "currency": "EUR"},
            "dueDate": f"{world.future(60):%Y-%m-%d}",
            "placed": [*world.past().timetuple()[:6]],
            "status": world.dice.choice(("PAID", "OPEN")),
        }
        for number in (41, 42, 57)
    ]
    return Reply(
        {
            "_embedded": {"orders": orders},
            "_links": {"self": {"href": f"{side.url}/customers/{customer}/orders?page=0&size=3"}},
            "page": {"size": 3, "totalElements": 3, "totalPages": 1, "number": 0},
            "_meta": {"generatedAt": side.now().isoformat(), "tookMs": side.dice.randint(1, 60)},
        },
        "application/hal+json",
        headers=[("X-B3-TraceId", side.hex(16)), ("X-B3-SpanId", side.hex(16)), ("X-Total-Count", "3")],
        target=f"/customers/{customer}/orders",
    )


_UUID = "0b5f2c7e-4a1d-4c3b-9e8f-5d6a7b8c9d0e"
_O = ("_embedded", "orders")
_ORDER_FAULTS = (
    put("business id 42 for 43", *_O, 1, "number", to=lambda _: 43),
    put("uuid the request names", *_O, 0, "customerId", to=lambda _: _UUID),
    put(
        "uuid the request names in a link",
        *_O,
        1,
        "_links",
        "customer",
        "href",
        to=lambda v: v.replace(v[-49:-13], _UUID),
    ),
    put("uuid of another version's form", *_O, 2, "correlationId", to=lambda _: 17),
    put("uuid without dashes", *_O, 2, "correlationId", to=lambda v: v.replace("-", "")),
    put("due date a day off", *_O, 0, "dueDate", to=day_off),
    put("placed a minute off", *_O, 1, "placed", 4, to=lambda v: (v + 1) % 60),
    put("amount", *_O, 2, "total", "amount", to=lambda v: round(v * 1.1, 2)),
    put("currency", *_O, 0, "total", "currency", to=lambda _: "USD"),
    put("status", *_O, 0, "status", to=lambda _: "CANCELLED"),
    put("templated", *_O, 0, "_links", "customer", "templated", to=lambda _: False),
    put("number in a link", *_O, 0, "_links", "self", "href", to=lambda v: v.replace("/41", "/14")),
    put("two ids change places", *_O, to=lambda v: _cross(v, "number"), most=2),
    put("orders change places", *_O, to=lambda v: [v[0], v[2], v[1]], most=8),
    put("total elements", "page", "totalElements", to=lambda _: 4),
    put("frozen", "_meta", "generatedAt", to=lambda v: f"{int(v[:4]) - 1}{v[4:]}"),
    drop("order missing", *_O, 1),
    drop("link missing", *_O, 1, "_links", "customer"),
    header("total header", "X-Total-Count", lambda _: "4"),
)


def _cross(rows: list[Json], key: str) -> list[Json]:
    first, second, *rest = rows
    return [{**first, key: second[key]}, {**second, key: first[key]}, *rest]


def _articles(world: World, side: Side) -> Reply:
    data = [
        {
            "type": "articles",
            "id": str(number),
            "attributes": {
                "title": world.title(),
                "body": f"{world.sentence()}\n\n{world.sentence()}",
                "view-count": world.number(0, 9999),
                "published-on": f"{world.past():%Y-%m-%d}",
                "payload": _held(
                    side, {"at": side.millis(), "sku": world.number(1, 99), "nonce": side.hex(24)}
                ),
            },
            "relationships": {"author": {"data": {"type": "people", "id": str(world.number(1, 50))}}},
            "links": {
                "self": f"{side.url}/articles/{number}",
                "login": f"/login?next={_quoted(side)}%2Farticles%2F{number}",
            },
        }
        for number in range(7, 7 + world.number(2, 4))
    ]
    return Reply(
        {
            "jsonapi": {"version": "1.1"},
            "data": data,
            "included": [],
            "meta": {"copyright": f"© {world.base.year} Acme"},
        },
        "application/vnd.api+json",
        target="/articles?page[number]=2",
    )


def _held(side: Side, document: dict[str, Json]) -> str:
    """JSON in a text, its keys in the order that this side happens to write."""
    keys = list(document)
    side.style.shuffle(keys)
    return json.dumps({key: document[key] for key in keys})


def _quoted(side: Side) -> str:
    return side.url.replace(":", "%3A").replace("/", "%2F")


def _payload(change: dict[str, Json]) -> Json:
    return lambda value: json.dumps({**json.loads(value), **change})


_ARTICLE_FAULTS = (
    put("id", "data", 0, "id", to=lambda v: f"{v}0"),
    put("view count", "data", 1, "attributes", "view-count", to=lambda v: v + 1),
    put(
        "published a day off",
        "data",
        0,
        "attributes",
        "published-on",
        to=day_off,
    ),
    put("field in nested JSON", "data", 1, "attributes", "payload", to=_payload({"sku": 100})),
    put("field added in nested JSON", "data", 1, "attributes", "payload", to=_payload({"admin": True})),
    put(
        "stale time in nested JSON",
        "data",
        0,
        "attributes",
        "payload",
        to=_payload({"at": 1_500_000_000_000}),
    ),
    put("escaped twice", "data", 0, "attributes", "payload", to=json.dumps),
    put("line break lost", "data", 1, "attributes", "body", to=lambda v: v.replace("\n\n", " ")),
    put("text truncated", "data", 0, "attributes", "body", to=lambda v: v[:20]),
    put("author", "data", 0, "relationships", "author", "data", "id", to=lambda v: f"{int(v) + 1}"),
    put("relationship's type", "data", 1, "relationships", "author", "data", "type", to=lambda _: "users"),
    put("next beside a host", "data", 0, "links", "login", to=lambda v: v.replace("articles", "posts")),
    put("version", "jsonapi", "version", to=lambda _: "1.0"),
    put("copyright's owner", "meta", "copyright", to=lambda v: v.replace("Acme", "Acne")),
    put("empty list became absent-like", "included", to=lambda _: {}),
    drop("article missing", "data", 0),
)


def _shop_jp(world: World, side: Side) -> Reply:
    here = timezone(timedelta(hours=9))
    local = side.now().astimezone(here)
    stored = world.past().astimezone(here)
    return Reply(
        {
            "商品": [{"品番": f"JP-{world.number(100, 999)}", "価格": f"¥{world.number(100, 99_999):,}", "在庫": world.number(0, 9)} for _ in range(3)],
            "注文番号": world.number(10**9, 10**10),
            "注文日": f"{stored.year}年{stored.month}月{stored.day}日",
            "お届け予定日": f"{world.future(9).astimezone(here):%Y/%m/%d}",
            "取得日時": f"{local.year}年{local.month}月{local.day}日 {local:%H時%M分%S秒}",
            "有効期限": local.isoformat(timespec="seconds") if world.chance(0.5) else f"{local:%Y/%m/%d %H:%M:%S}",
            "メッセージ": f"お問い合わせ番号：{side.uuid()}",
            "税込": True,
            "画像": f"{side.url}/画像/{world.number(1, 99)}.webp",
        },
        headers=[("Content-Language", "ja")],
        target="/api/注文".encode().decode("latin-1"),
    )  # fmt: skip


_SHOP_JP_FAULTS = (
    put("price", "商品", 0, "価格", to=lambda v: v + "0"),
    put("currency", "商品", 1, "価格", to=lambda v: v.replace("¥", "$")),
    put("full-width digits", "商品", 2, "品番", to=lambda v: v.replace("-", "－")),
    put("stock", "商品", 2, "在庫", to=lambda v: v + 1),
    put("business id", "注文番号", to=lambda v: v + 1),
    put("ordered a day off", "注文日", to=lambda v: v.replace("日", "") + "1日" if v[-3] == "月" else v.replace("月", "月1") if v[-2] != "1" else v.replace(v[-2:], "2日")),
    put("ordered a month off", "注文日", to=lambda v: v.split("年")[0] + "年" + str(int(v.split("年")[1].split("月")[0]) % 12 + 1) + "月" + v.split("月")[1]),
    put("delivered a day off", "お届け予定日", to=day_off),
    put("text beside noise", "メッセージ", to=lambda v: v.replace("番号", "日時")),
    put("picture beside a host", "画像", to=lambda v: v.replace(".webp", ".avif")),
    put("stale", "取得日時", to=lambda v: f"{int(v[:4]) - 1}{v[4:]}"),
    drop("product missing", "商品", 0),
    put("tax", "税込", to=lambda _: False),
    header("language", "Content-Language", lambda _: "ja-JP"),
)  # fmt: skip


def _auction(world: World, side: Side) -> Reply:
    lot = world.number(100, 999)
    ends = world.base.replace(microsecond=0) + timedelta(minutes=world.number(5, 50))
    return Reply(
        {
            "lot": lot,
            "endsAt": zulu(ends),
            "bids": [
                {"at": zulu(world.lately()), "by": world.word(), "amount": world.cents()}
                for _ in range(world.number(2, 4))
            ],
            "serverTime": zulu(side.now()),
            "reservedUntil": zulu(side.now(minutes=10)),
            "watchToken": side.secret(32),
            "seenBy": f"You looked at lot {lot} at {side.now():%H:%M:%S} on {side.host}",
        },
        headers=[("Retry-After", "30"), ("Last-Modified", http_date(world.past(9)))],
        target=f"/lots/{lot}",
    )


_AUCTION_FAULTS = (
    put("ends a minute later", "endsAt", to=lambda v: v[:14] + f"{(int(v[14:16]) + 1) % 60:02d}" + v[16:]),
    put("ends an hour later", "endsAt", to=lambda v: v[:11] + f"{(int(v[11:13]) + 1) % 24:02d}" + v[13:]),
    put("bid a second off", "bids", 0, "at", to=lambda v: f"{v[:17]}{(int(v[17:19]) + 1) % 60:02d}Z"),
    put(
        "bid ten minutes off",
        "bids",
        1,
        "at",
        to=lambda v: v[:14] + f"{(int(v[14:16]) + 10) % 60:02d}" + v[16:],
    ),
    put("bidder", "bids", 1, "by", to=lambda v: v[::-1] + "x"),
    put("amount", "bids", 0, "amount", to=lambda v: v + 100),
    put("reserved longer", "reservedUntil", to=lambda v: v[:11] + f"{(int(v[11:13]) + 1) % 24:02d}" + v[13:]),
    put("lot", "lot", to=lambda v: v + 1),
    put("lot beside noise", "seenBy", to=lambda v: v.replace("lot ", "lot 1")),
    put("token lost", "watchToken", to=lambda _: ""),
    put("token null", "watchToken", to=lambda _: None),
    put("zone", "serverTime", to=lambda v: v.replace("Z", "+02:00")),
    drop("bid missing", "bids", 0),
    header("retry after", "Retry-After", lambda _: "300"),
    header(
        "last modified a day off", "Last-Modified", lambda v: v[:5] + f"{int(v[5:7]) % 28 + 1:02d}" + v[7:]
    ),
)

SERVICES = (
    Service("shop products", _products, _PRODUCT_FAULTS),
    Service("graphql reviews", _relay, _RELAY_FAULTS),
    Service("hal orders", _orders, _ORDER_FAULTS),
    Service("json:api articles", _articles, _ARTICLE_FAULTS),
    Service("japanese shop", _shop_jp, _SHOP_JP_FAULTS),
    Service("auction lot", _auction, _AUCTION_FAULTS),
)
