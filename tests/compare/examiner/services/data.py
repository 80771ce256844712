"""Data: search, analytics, OData, metrics, exports, logs, time series, stored objects."""

from __future__ import annotations

import base64
import json

from tests.compare.examiner.edits import day_off, millisecond_off
from tests.compare.examiner.fault import Fault, drop, grow, header, media_type, put, status, text
from tests.compare.examiner.reply import Json, Reply
from tests.compare.examiner.service import Service
from tests.compare.examiner.world import Side, World, micros, millis, zulu


def _search(world: World, side: Side) -> Reply:
    hits = [
        {
            "_index": "products-v3",
            "_id": str(world.number(1, 90_000)),
            "_score": round(world.dice.uniform(1, 20), 7),
            "_source": {
                "name": world.title(),
                "price": world.cents() / 100,
                "tags": [world.word(), world.word()],
                "location": {
                    "lat": round(world.dice.uniform(-80, 80), 6),
                    "lon": round(world.dice.uniform(-170, 170), 6),
                },
                "indexed": millis(world.past()),
            },
            "sort": [world.number(10**12, 2 * 10**12), None],
        }
        for _ in range(world.number(4, 9))
    ]
    buckets = [
        {
            "key_as_string": f"2026-{month:02d}-01T00:00:00.000Z",
            "key": month,
            "doc_count": world.number(0, 900),
        }
        for month in range(1, 7)
    ]
    return Reply(
        {
            "took": side.dice.randint(1, 90),
            "timed_out": False,
            "pit_id": side.base64(90),
            "_shards": {"total": 5, "successful": 5, "skipped": 0, "failed": 0},
            "hits": {"total": {"value": world.number(20, 9000), "relation": "eq"}, "max_score": None, "hits": hits},
            "aggregations": {"months": {"buckets": buckets}, "avg": {"value": world.dice.random() * 100}},
        },
        "application/vnd.elasticsearch+json;compatible-with=8",
        headers=[("X-Elastic-Product", "Elasticsearch"), ("X-Opaque-Id", side.hex(16))],
        method="POST", target="/products/_search", request_body='{"query":{"match_all":{}}}',
    )  # fmt: skip


_SEARCH_FAULTS = (
    put("score", "hits", "hits", 0, "_score", to=lambda v: round(v + 1e-6, 7)),
    put("latitude lost precision", "hits", "hits", 1, "_source", "location", "lat", to=lambda v: v + 0.00001),
    put("longitude sign", "hits", "hits", 2, "_source", "location", "lon", to=lambda v: -v),
    put("business id", "hits", "hits", 3, "_id", to=lambda v: str(int(v) + 1)),
    put("id became a number", "hits", "hits", 0, "_id", to=int),
    put("total off by one", "hits", "total", "value", to=lambda v: v - 1),
    put("relation", "hits", "total", "relation", to=lambda _: "gte"),
    put("bucket count", "aggregations", "months", "buckets", 3, "doc_count", to=lambda v: v + 1),
    put(
        "bucket time",
        "aggregations",
        "months",
        "buckets",
        2,
        "key_as_string",
        to=lambda v: v.replace("T00", "T01"),
    ),
    put("average in single precision", "aggregations", "avg", "value", to=lambda v: v * (1 + 3e-8)),
    put("shards", "_shards", "failed", to=lambda _: 1),
    put("timed out", "timed_out", to=lambda _: True),
    put("two hits change places", "hits", "hits", to=lambda v: [v[1], v[0], *v[2:]], most=8),
    put("sort key", "hits", "hits", 1, "sort", 0, to=lambda v: v + 1),
    put("sort key null", "hits", "hits", 1, "sort", 1, to=lambda _: 0),
    put("index version", "hits", "hits", 2, "_index", to=lambda v: "products-v4"),
    put("tag twice", "hits", "hits", 0, "_source", "tags", to=lambda v: [*v, v[0]]),
    put("indexed a millisecond off", "hits", "hits", 2, "_source", "indexed", to=millisecond_off),
    drop("hit missing", "hits", "hits", 2),
    drop("time became absent", "took"),
    header("product", "X-Elastic-Product", lambda _: "OpenSearch"),
    status("status", 200 + 3),
)


def _analytics(world: World, side: Side) -> Reply:
    job = f"job_{side.base62(28)}"
    rows: list[Json] = [
        {
            "f": [
                {"v": world.word()},
                {"v": str(world.number(1, 10**15))},
                {"v": f"{world.past().timestamp():.6E}"},
            ]
        }
        for _ in range(5)
    ]
    return Reply(
        {
            "kind": "bigquery#queryResponse",
            "schema": {"fields": [{"name": "word", "type": "STRING"}, {"name": "n", "type": "INTEGER"}]},
            "jobReference": {"projectId": "acme-prod", "jobId": job, "location": "EU"},
            "selfLink": f"{side.url}/bigquery/v2/projects/acme-prod/jobs/{job}?location=EU",
            "creationTime": str(side.millis()),
            "startTime": str(side.millis(0.01)),
            "totalRows": "5",
            "rows": rows,
            "totalBytesProcessed": str(world.number(10**6, 10**12)),
            "cacheHit": False,
            "statistics": {"elapsedMs": f"{side.dice.randint(20, 900)}", "slots": 4},
        },
        method="POST",
        target="/bigquery/v2/projects/acme-prod/queries",
    )


_ANALYTICS_FAULTS = (
    put("cell", "rows", 0, "f", 1, "v", to=lambda v: v + "0"),
    put("cell number for text", "rows", 1, "f", 1, "v", to=int),
    put("columns swapped", "rows", 2, "f", to=lambda v: [v[1], v[0], v[2]], most=3),
    put("cell null", "rows", 3, "f", 0, "v", to=lambda _: None),
    put("total rows", "totalRows", to=lambda _: "6"),
    put("bytes processed", "totalBytesProcessed", to=lambda v: str(int(v) + 1)),
    put("project", "jobReference", "projectId", to=lambda _: "acme-test"),
    put("location beside noise", "selfLink", to=lambda v: v.replace("=EU", "=US")),
    put("path beside noise", "selfLink", to=lambda v: v.replace("acme-prod", "acme-test")),
    put("type of a column", "schema", "fields", 1, "type", to=lambda _: "FLOAT"),
    put("created a day ago", "creationTime", to=lambda v: str(int(v) - 86_400_000)),
    put("slots", "statistics", "slots", to=lambda _: 8),
    put("cache hit", "cacheHit", to=lambda _: True),
)


def _odata(world: World, side: Side) -> Reply:
    root = f"{side.url}/odata/v4/Orders"
    value = [
        {
            "@odata.id": f"{root}({number})",
            "@odata.etag": f'W/"{world.base62(12)}=="',
            "OrderID": number,
            "ShipDate": zulu(world.future()),
            "Freight": world.cents() / 100,
            "Customer@odata.navigationLink": f"{root}({number})/Customer",
            "Discount": None,
        }
        for number in sorted(world.dice.sample(range(10_000, 90_000), 4))
    ]
    return Reply(
        {
            "@odata.context": f"{side.url}/odata/v4/$metadata#Orders",
            "@odata.count": 731,
            "value": value,
            "@odata.nextLink": f"{root}?$skiptoken={value[-1]['OrderID']}&$count=true",
            "@odata.deltaLink": f"{root}?$deltatoken={side.secret(24)}&since={zulu(side.now())}",
        },
        "application/json;odata.metadata=full;odata.streaming=true",
        headers=[("OData-Version", "4.0"), ("Preference-Applied", "odata.maxpagesize=4")],
        target="/odata/v4/Orders?$count=true",
    )


_ODATA_FAULTS = (
    put("business id", "value", 0, "OrderID", to=lambda v: v + 1),
    put("ship date a day off", "value", 1, "ShipDate", to=day_off),
    put("freight", "value", 2, "Freight", to=lambda v: round(v + 0.01, 2)),
    put("null became zero", "value", 3, "Discount", to=lambda _: 0),
    put("count", "@odata.count", to=lambda _: 732),
    put("skip token", "@odata.nextLink", to=lambda v: v.replace("skiptoken=", "skiptoken=1")),
    put("count asked for", "@odata.nextLink", to=lambda v: v.replace("true", "false")),
    put("parameter beside noise", "@odata.deltaLink", to=lambda v: v.replace("since", "until")),
    put("version in a link", "@odata.context", to=lambda v: v.replace("v4", "v3")),
    put("entity of a link", "value", 1, "@odata.id", to=lambda v: v.replace("(", "(1")),
    drop("link missing", "@odata.nextLink"),
    media_type("parameter of the type", "application/json;odata.metadata=minimal;odata.streaming=true"),
    header("version header", "OData-Version", lambda _: "4.01"),
)


def _metrics(world: World, side: Side) -> Reply:
    lines = ["# HELP shop_orders_total Orders taken.", "# TYPE shop_orders_total counter"]
    lines += [
        f'shop_orders_total{{country="{code}",paid="true"}} {world.number(1, 10**6)}'
        for code in ("de", "fr", "jp")
    ]
    lines += ["# TYPE stock gauge", f'stock{{sku="A-{world.number(1, 99)}"}} {world.dice.uniform(0, 9):.6f}']
    lines += [f"federated_up {world.number(0, 1)} {side.millis()}", "# EOF"]
    return Reply(
        "\n".join(lines) + "\n",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        target="/metrics",
    )


_METRICS_FAULTS = (
    text("counter", r"(\d)\n# TYPE stock", lambda m: f"{(int(m[1]) + 1) % 10}\n# TYPE stock"),
    text("label", 'country="fr"', 'country="uk"'),
    text("label value", 'paid="true"', 'paid="false"'),
    text("type", "stock gauge", "stock counter"),
    text("help", "Orders taken", "Orders made"),
    text("value beside noise", r"federated_up (\d)", lambda m: f"federated_up {1 - int(m[1])}"),
    text("line missing", r"shop_orders_total.country=.jp.*\n", ""),
    text("last digit", r"(\d)\nfederated", lambda m: f"{(int(m[1]) + 1) % 10}\nfederated"),
    text("name", "federated_up", "federated_down"),
)


def _export(world: World, side: Side) -> Reply:
    rows = [
        f'{world.number(1, 9999)},"{world.name()}",{world.past():%Y-%m-%d},{world.price()},{world.number(0, 9)},{world.uuid()}'
        for _ in range(world.number(6, 12))
    ]
    top = [
        f"# exported {zulu(side.now())} by {side.host}, batch {side.uuid()}",
        "id,name,since,total,items,ref",
    ]
    return Reply(
        "\r\n".join([*top, *rows]) + "\r\n", "text/csv; charset=utf-8; header=present",
        headers=[("Content-Disposition", f'attachment; filename="customers-{side.now():%Y%m%d-%H%M%S}.csv"')],
        target="/export/customers.csv",
    )  # fmt: skip


_EXPORT_FAULTS = (
    text("header renamed", "since,total", "since,sum"),
    text("columns swapped", r"(\d{4}-\d\d-\d\d),(\d+\.\d\d)", lambda m: f"{m[2]},{m[1]}"),
    text("price", r"\.(\d)(\d),", lambda m: f".{m[1]}{(int(m[2]) + 1) % 10},"),
    text("date a day off", r"-(\d\d),", lambda m: f"-{int(m[1]) % 28 + 1:02d},"),
    text("row missing", r"\r\n\d[^\r]*", ""),
    text("column missing", r",\d,", ","),
    text("business id", r"\r\n(\d+),", lambda m: f"\r\n{int(m[1]) + 1},"),
    text("quotes lost", r'"([^"]*)"', r"\1"),
    text("word beside noise", "# exported", "# imported"),
    text("row twice", r"(\r\n\d[^\r]*)", r"\1\1"),
    header("file name beside noise", "Content-Disposition", lambda v: v.replace("customers", "contacts")),
    header("inline", "Content-Disposition", lambda v: v.replace("attachment", "inline")),
    media_type("charset", "text/csv; charset=windows-1252; header=present"),
)


def _journal(world: World, side: Side) -> Reply:
    rows = []
    for index in range(8):
        at = world.past(20) if index < 6 else side.now(milliseconds=-3 * index)
        fresh = world.hex(32) if index < 6 else side.hex(32)
        rows.append(
            {
                "@timestamp": millis(at),
                "level": world.dice.choice(("info", "warn")),
                "msg": f"order {world.number(1, 9999)} shipped to {world.name()}",
                "trace.id": fresh,
                "dur": world.number(1, 99),
            }
        )
    return Reply(
        "".join(json.dumps(row) + "\n" for row in rows), "application/x-ndjson", target="/logs?tail=8"
    )


_JOURNAL_FAULTS = (
    text("level", '"(info|warn)"', '"error"'),
    text("business id in text", r"order (\d+)", lambda m: f"order {int(m[1]) + 1}"),
    text("record missing", r"^[^\n]*\n", ""),
    text("number for text", r'"dur": (\d+)', r'"dur": "\1"'),
    text("duplicate key", r'"level"', '"dur": 1, "level"'),
    text("record added", r"$(?![\s\S])", '{"msg": "tampered"}\n'),
    text("stored year", r'"@timestamp": "20(\d\d)', lambda m: f'"@timestamp": "20{int(m[1]) - 1:02d}'),
)


def _series(world: World, side: Side) -> Reply:
    start = int(world.lately().timestamp()) - 3600
    points = [[start + 60 * i, round(world.dice.uniform(-5, 30), 1)] for i in range(20)]
    return Reply(
        {
            "sensor": world.number(1, 400),
            "unit": "°C",
            "server_time": side.clock,
            "server_time_ms": side.millis(),
            "server_time_us": side.micros(),
            "next_poll": side.unix(60),
            "points": points,
            "window": {"from": zulu(world.lately()), "until": zulu(side.now())},
            "generated": micros(side.now()),
        },
        target="/v2/sensors/7/points",
    )


_SERIES_FAULTS = (
    put("value", "points", 3, 1, to=lambda v: round(v + 0.1, 1)),
    put("sign", "points", 4, 1, to=lambda v: -v - 0.1),
    put("stored second near now", "points", 5, 0, to=lambda v: v + 1),
    put("stored minute near now", "points", 6, 0, to=lambda v: v - 60),
    put("all moved by an hour", "points", to=lambda v: [[at + 3600, x] for at, x in v], most=40),
    drop("point missing", "points", 7),
    put("sensor", "sensor", to=lambda v: v + 1),
    put("unit", "unit", to=lambda _: "°F"),
    put("poll later", "next_poll", to=lambda v: v + 60),
    put("seconds for milliseconds", "server_time_ms", to=lambda v: v // 1000),
    put("window from", "window", "from", to=lambda v: v[:11] + f"{(int(v[11:13]) + 1) % 24:02d}" + v[13:]),
    put("stale", "generated", to=lambda v: f"{int(v[:4]) - 1}{v[4:]}"),
    put("number became text", "server_time", to=str),
    put("null value", "points", 8, 1, to=lambda _: None),
)


def _bucket(world: World, side: Side) -> Reply:
    rows = "".join(
        f"<Contents><Key>img/{world.word()}-{index}.png</Key><LastModified>{millis(world.past())}</LastModified>"
        f"<ETag>&quot;{world.hex(32)}&quot;</ETag><Size>{world.number(10, 10**7)}</Size>"
        f"<StorageClass>STANDARD</StorageClass></Contents>"
        for index in range(world.number(3, 7))
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>media</Name><Prefix>img/</Prefix><KeyCount>4</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
    )
    return Reply(
        body, "application/xml", target="/media?list-type=2&prefix=img/",
        headers=[("x-amz-request-id", side.upper(16)), ("x-amz-id-2", side.base64(56)), ("x-amz-bucket-region", "eu-west-1")],
    )  # fmt: skip


_BUCKET_FAULTS = (
    text("size", r"(\d)</Size>", lambda m: f"{(int(m[1]) + 1) % 10}</Size>"),
    text("stored entity tag", r"&quot;(.)", lambda m: f"&quot;{'0' if m[1] != '0' else '1'}"),
    text("key", r"\.png</Key>", ".jpg</Key>"),
    text("stored time a day off", r"-(\d\d)T", lambda m: f"-{int(m[1]) % 28 + 1:02d}T"),
    text("object missing", r"<Contents>.*?</Contents>", ""),
    text("objects change places", r"(<Contents>.*?</Contents>)(<Contents>.*?</Contents>)", r"\2\1", most=6),
    text("truncated", ">false<", ">true<"),
    text("count", "<KeyCount>4", "<KeyCount>5"),
    text("element empty", ">STANDARD<", "><"),
    text("element renamed", "StorageClass>STANDARD</StorageClass", "Storage>STANDARD</Storage", most=2),
    text("namespace lost", r' xmlns="[^"]*"', "", most=40),
    header("region", "x-amz-bucket-region", lambda _: "us-east-1"),
)


def _no_such_key(world: World, side: Side) -> Reply:
    key = f"img/{world.word()}.png"
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
        f"<Message>The specified key does not exist.</Message><Key>{key}</Key>"
        f"<RequestId>{side.upper(16)}</RequestId><HostId>{side.base64(56)}</HostId></Error>"
    )
    return Reply(body, "application/xml", status=404, target=f"/media/{key}")


_KEY_FAULTS = (
    text("code", "NoSuchKey", "NoSuchBucket"),
    text("message truncated", "exist.", "exist"),
    text("key", r"\.png", ".svg"),
    text("id lost", r"<RequestId>.*</RequestId>", ""),
    text("id empty", r"<HostId>.*</HostId>", "<HostId></HostId>"),
    status("status", 403),
)


def _signed(world: World, side: Side) -> Reply:
    stamp = f"{side.now():%Y%m%dT%H%M%SZ}"

    def sign(key: str) -> str:
        scope = f"AKIAIOSFODNN7EXAMPLE%2F{side.now():%Y%m%d}%2Feu-west-1%2Fs3%2Faws4_request"
        return (
            f"https://media.s3.example/{key}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}"
            f"&X-Amz-Date={stamp}&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={side.hex(64)}"
        )

    files = [
        {
            "name": f"{world.word()}.pdf",
            "url": sign(f"docs/{world.number(1, 999)}.pdf"),
            "expires": zulu(side.now(minutes=15)),
            "size": world.number(1, 10**7),
            "md5": base64.b64encode(world.dice.randbytes(16)).decode(),
        }
        for _ in range(3)
    ]
    legacy = f"{side.url}/get/{world.number(1, 99)}?Expires={side.unix(900)}&Signature={side.base64(20).replace('+', '%2B')}"
    return Reply({"files": files, "legacy": legacy, "ttl": 900}, target="/files")


_SIGNED_FAULTS = (
    put("file beside noise", "files", 0, "url", to=lambda v: v.replace(".pdf", ".doc")),
    put("expiry beside noise", "files", 1, "url", to=lambda v: v.replace("Expires=900", "Expires=9000")),
    put("region beside noise", "files", 1, "url", to=lambda v: v.replace("eu-west-1", "us-west-1")),
    put("signed headers", "files", 2, "url", to=lambda v: v.replace("=host", "=host%3Bdate")),
    put("signature lost", "files", 2, "url", to=lambda v: v[: v.index("&X-Amz-Signature")]),
    put("host of a third party", "files", 0, "url", to=lambda v: v.replace("media.s3", "other.s3")),
    put("expires later", "files", 0, "expires", to=lambda v: f"{int(v[:4]) + 1}{v[4:]}"),
    put("stored checksum", "files", 1, "md5", to=lambda v: ("A" if v[0] != "A" else "B") + v[1:]),
    put("legacy file", "legacy", to=lambda v: v.replace("/get/", "/get/1")),
    put("legacy expiry", "legacy", to=lambda v: v.replace("Expires=", "Expires=1")),
    put("size", "files", 2, "size", to=lambda v: v - 1),
    drop("file missing", "files", 1),
    grow("field added", key="count", value=3),
)


def _rpc_bytes(world: World, side: Side) -> Reply:
    message = (
        bytes([10, 5]) + world.word().encode()[:5].ljust(5) + world.dice.randbytes(world.number(40, 200))
    )
    trailer = b"grpc-status:0\r\n"
    framed = (
        b"\0"
        + len(message).to_bytes(4, "big")
        + message
        + b"\x80"
        + len(trailer).to_bytes(4, "big")
        + trailer
    )
    return Reply(
        framed, "application/grpc-web+proto", method="POST", target="/shop.v1.Shop/Get",
        headers=[("X-Trace", side.hex(32)), ("Grpc-Accept-Encoding", "gzip")],
    )  # fmt: skip


def _flip(reply: Reply) -> None:
    reply.body = reply.body[:20] + bytes([reply.body[20] ^ 1]) + reply.body[21:]


def _cut(reply: Reply) -> None:
    reply.body = reply.body[:-1]


def _rpc_status(reply: Reply) -> None:
    reply.body = reply.body.replace(b"grpc-status:0", b"grpc-status:5")


_RPC_FAULTS = (
    Fault("one bit", "body:", _flip),
    Fault("last byte missing", "body:", _cut),
    Fault("status in the trailer", "body:", _rpc_status),
    media_type("media type", "application/grpc+proto"),
)


SERVICES = (
    Service("search engine", _search, _SEARCH_FAULTS),
    Service("analytics job", _analytics, _ANALYTICS_FAULTS),
    Service("odata orders", _odata, _ODATA_FAULTS),
    Service("metrics text", _metrics, _METRICS_FAULTS),
    Service("csv export", _export, _EXPORT_FAULTS),
    Service("ndjson journal", _journal, _JOURNAL_FAULTS),
    Service("sensor series", _series, _SERIES_FAULTS),
    Service("bucket listing", _bucket, _BUCKET_FAULTS),
    Service("bucket error", _no_such_key, _KEY_FAULTS),
    Service("signed files", _signed, _SIGNED_FAULTS),
    Service("grpc-web bytes", _rpc_bytes, _RPC_FAULTS),
)
