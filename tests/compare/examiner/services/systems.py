"""Systems: tokens and keys, health, problems, chat, completions, RPC, tasks, and services that never rest."""

from __future__ import annotations

import base64
import json
from datetime import timedelta, timezone
from typing import Any

from tests.compare.examiner.edits import day_off
from tests.compare.examiner.fault import add_header, drop, grow, header, lose_header, put, status, text
from tests.compare.examiner.reply import Json, Reply
from tests.compare.examiner.service import Service
from tests.compare.examiner.world import Side, World, http_date, micros, millis, zulu


def _jwt(side: Side, claims: dict[str, Any], key: str) -> str:
    parts = ({"alg": "RS256", "kid": key}, claims)
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{body}.{side.secret(64)}"


def _token(world: World, side: Side) -> Reply:
    claims = {
        "iss": side.url,
        "sub": str(world.number(1000, 9999)),
        "aud": "web",
        "iat": side.unix(),
        "exp": side.unix(3600),
        "jti": side.uuid(),
        "scope": "openid orders:read",
    }
    return Reply(
        {
            "access_token": side.secret(48),
            "refresh_token": f"rt_{side.base62(40)}",
            "id_token": _jwt(side, claims, world.hex(8)),
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "openid orders:read",
        },
        method="POST", target="/oauth/token", request_body="grant_type=client_credentials",
        headers=[("Cache-Control", "no-store"), ("Pragma", "no-cache")],
    )  # fmt: skip


def _claim(key: str, to: Json) -> Json:
    def change(token: str) -> str:
        head, body, signature = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        claims[key] = to(claims[key])
        return (
            f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"
        )

    return change


_TOKEN_FAULTS = (
    put("token type", "token_type", to=lambda _: "bearer"),
    put("expires in", "expires_in", to=lambda _: 7200),
    put("expires in as text", "expires_in", to=str),
    put("scope", "scope", to=lambda v: v + " orders:write"),
    put("kind of token", "refresh_token", to=lambda v: v.replace("rt_", "st_")),
    put("shorter token", "access_token", to=lambda v: v[:20]),
    put("token null", "refresh_token", to=lambda _: None),
    put("claim: subject", "id_token", to=_claim("sub", lambda v: v + "0")),
    put("claim: audience", "id_token", to=_claim("aud", lambda _: "app")),
    put("claim: scope", "id_token", to=_claim("scope", lambda v: v + " admin")),
    put("claim: expiry", "id_token", to=_claim("exp", lambda v: v + 3600)),
    put("claim: issuer", "id_token", to=_claim("iss", lambda v: v + "/realms/x")),
    put("not a JWT any more", "id_token", to=lambda v: v.replace(".", "_")),
    drop("refresh token lost", "refresh_token"),
    grow("field added", key="error", value="none"),
    header("cacheable", "Cache-Control", lambda _: "public, max-age=60"),
)


def _discovery(world: World, side: Side) -> Reply:
    return Reply(
        {
            "issuer": side.url,
            "authorization_endpoint": f"{side.url}/oauth/authorize",
            "jwks_uri": f"{side.url}/.well-known/jwks.json",
            "scopes_supported": ["openid", "email", "profile"],
            "claims_parameter_supported": False,
            "keys": [
                {"kty": "RSA", "use": "sig", "kid": world.base62(43), "e": "AQAB", "n": world.base62(342)}
                for _ in range(2)
            ],
        },
        headers=[("Cache-Control", "public, max-age=3600"), ("Access-Control-Allow-Origin", side.url)],
        target="/.well-known/openid-configuration",
    )


_DISCOVERY_FAULTS = (
    put("endpoint beside a host", "authorization_endpoint", to=lambda v: v.replace("oauth", "oauth2")),
    put("issuer with a slash", "issuer", to=lambda v: v + "/"),
    put("issuer of a third party", "issuer", to=lambda _: "https://idp.example"),
    put("scopes' order", "scopes_supported", to=lambda v: v[::-1], most=4),
    put("scope lost", "scopes_supported", to=lambda v: v[:2]),
    put("exponent", "keys", 0, "e", to=lambda _: "AQAC"),
    put("use of a key", "keys", 1, "use", to=lambda _: "enc"),
    put("claims", "claims_parameter_supported", to=lambda _: True),
    drop("key lost", "keys", 0),
    header("allowed origin", "Access-Control-Allow-Origin", lambda _: "*"),
)


def _health(world: World, side: Side) -> Reply:
    return Reply(
        {
            "status": "UP",
            "version": f"2.{world.number(0, 30)}.1",
            "time": millis(side.now()),
            "startedAt": zulu(world.past(9)),
            "checks": [
                {
                    "name": name,
                    "status": "UP",
                    "latencyMs": round(side.jitter(1, 60), 3),
                    "checkedAt": side.unix(),
                }
                for name in ("db", "queue", "disk")
            ],
            "requestId": side.uuid(),
            "elapsed": f"{side.jitter(0.5, 90):.2f}ms",
            "replicas": 3,
        },
        "application/health+json",
        target="/health",
    )


_HEALTH_FAULTS = (
    put("version", "version", to=lambda v: v[:-1] + "2"),
    put("status", "status", to=lambda _: "DOWN"),
    put("status of a check", "checks", 1, "status", to=lambda _: "DOWN"),
    put("name of a check", "checks", 2, "name", to=lambda _: "disks"),
    put("replicas", "replicas", to=lambda _: 2),
    put("id null", "requestId", to=lambda _: None),
    put("frozen time", "time", to=lambda v: f"{int(v[:4]) - 1}{v[4:]}"),
    put("check long ago", "checks", 0, "checkedAt", to=lambda v: v - 86_400),
    drop("check missing", "checks", 1),
)


def _problem(world: World, side: Side) -> Reply:
    trace = side.trace()
    return Reply(
        {
            "type": "https://errors.acme.example/out-of-credit",
            "title": "You do not have enough credit.",
            "status": 403,
            "detail": f"Balance is {world.number(1, 50)}, cost is {world.number(51, 90)} (correlation {side.hex(20)}).",
            "instance": f"urn:uuid:{side.uuid()}",
            "traceId": trace,
            "errors": {"Amount": ["must be positive", "must be whole"]},
            "meta": {
                "request": {
                    "id": side.base62(22),
                    "node": {"requestId": side.uuid(), "at": micros(side.now())},
                }
            },
        },
        "application/problem+json",
        status=403,
        headers=[
            (
                "WWW-Authenticate",
                f'Digest realm="shop", qop="auth", nonce="{side.hex(32)}", opaque="{side.hex(32)}"',
            )
        ],
        target="/orders",
        method="POST",
    )


_PROBLEM_FAULTS = (
    put("balance beside noise", "detail", to=lambda v: v.replace("Balance is ", "Balance is 1")),
    put("cost beside noise", "detail", to=lambda v: v.replace("cost is ", "cost is 1")),
    put("kind of problem", "type", to=lambda v: v.replace("credit", "stock")),
    put("title", "title", to=lambda v: v[:-1]),
    put("order of errors", "errors", "Amount", to=lambda v: v[::-1], most=3),
    put("kind of instance", "instance", to=lambda v: v.replace("urn:uuid:", "/problems/")),
    put("status in the body", "status", to=lambda _: 402),
    put("trace without its flags", "traceId", to=lambda v: v[:-3]),
    drop("nested id missing", "meta", "request", "node", "requestId"),
    header("realm", "WWW-Authenticate", lambda v: v.replace('"shop"', '"admin"')),
    header("quality of protection", "WWW-Authenticate", lambda v: v.replace('"auth"', '"auth-int"')),
    header("scheme", "WWW-Authenticate", lambda v: v.replace("Digest", "Basic")),
    status("status", 402),
)


def _spring(world: World, side: Side) -> Reply:
    here = timezone(timedelta(hours=2))
    return Reply(
        {
            "timestamp": side.now().astimezone(here).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0200",
            "status": 500,
            "error": "Internal Server Error",
            "exception": "java.lang.IllegalStateException",
            "message": f"Order {world.number(1, 999)} could not be saved [request {side.hex(8)}-{world.number(1, 9)}]",
            "trace": f"java.lang.IllegalStateException: at shop.Order.save(Order.java:{world.number(1, 400)})\n\tat shop.Api.post",
            "path": "/orders",
        },
        status=500,
        target="/orders",
    )


_SPRING_FAULTS = (
    put("zone moved the instant", "timestamp", to=lambda v: v.replace("+0200", "+0300")),
    put("line in a trace", "trace", to=lambda v: v.replace("java:", "java:1")),
    put("business id beside noise", "message", to=lambda v: v.replace("Order ", "Order 1")),
    put("exception", "exception", to=lambda v: v.replace("State", "Argument")),
    put("path", "path", to=lambda v: v + "/"),
    put("reason", "error", to=lambda _: "Bad Gateway"),
    put("status in the body", "status", to=lambda _: 501),
)


def _chat(world: World, side: Side) -> Reply:
    at = f"{side.unix()}.{side.dice.randint(100_000, 999_999)}"
    stored = f"{int(world.past().timestamp())}.{world.number(100_000, 999_999)}"
    return Reply(
        {
            "ok": True,
            "channel": f"C0{world.number(10**6, 10**7)}",
            "ts": at,
            "message": {
                "text": f"<@U{world.number(1000, 9999)}> {world.sentence()}",
                "thread_ts": stored,
                "client_msg_id": side.uuid(),
                "blocks": [{"type": "rich_text", "block_id": world.base62(5), "elements": []}],
            },
            "response_metadata": {"warnings": ["missing_charset"], "next_cursor": ""},
        },
        method="POST", target="/api/chat.postMessage", request_body='{"text":"hi"}',
        headers=[("X-OAuth-Scopes", "chat:write"), ("Access-Control-Expose-Headers", "x-slack-req-id, retry-after")],
    )  # fmt: skip


_CHAT_FAULTS = (
    put("block", "message", "blocks", 0, "block_id", to=lambda v: v[::-1] + "x"),
    put("thread", "message", "thread_ts", to=lambda v: v[:-1] + str((int(v[-1]) + 1) % 10)),
    put("ok", "ok", to=lambda _: False),
    put("channel", "channel", to=lambda v: v[:-1] + str((int(v[-1]) + 1) % 10)),
    put("mention", "message", "text", to=lambda v: v.replace("<@U", "<@U1")),
    put("warning", "response_metadata", "warnings", 0, to=lambda v: v.replace("missing", "superfluous")),
    put("cursor", "response_metadata", "next_cursor", to=lambda _: "dGVhbQ=="),
    put("block's type", "message", "blocks", 0, "type", to=lambda _: "section"),
    put("time of day off", "ts", to=lambda v: str(float(v) - 40_000)),
    put("number for text", "ts", to=float),
    drop("thread lost", "message", "thread_ts"),
    header("scopes", "X-OAuth-Scopes", lambda v: v + ",admin"),
    header("exposed headers", "Access-Control-Expose-Headers", lambda v: v.replace(", retry-after", "")),
)


def _completion(world: World, side: Side) -> Reply:
    answer = (
        f"The total is {world.number(10, 99)} {world.word()}s.\n\n```python\nprint({world.number(1, 9)})\n```"
    )
    return Reply(
        {
            "id": f"chatcmpl-{side.base62(29)}",
            "object": "chat.completion",
            "created": side.unix(),
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": answer,
                        "tool_calls": [
                            {
                                "id": f"call_{side.base62(24)}",
                                "function": {"name": "add", "arguments": '{"a": %d}' % world.number(1, 9)},
                            }
                        ],
                    },
                    "finish_reason": "stop",
                    "logprobs": None,
                }
            ],
            "usage": {"prompt_tokens": world.number(9, 99), "completion_tokens": 12},
            "system_fingerprint": f"fp_{world.hex(10)}",
        },
        method="POST",
        target="/v1/chat/completions",
        headers=[("openai-processing-ms", str(side.dice.randint(80, 900))), ("openai-version", "2020-10-01")],
    )


_C = ("choices", 0, "message")
_COMPLETION_FAULTS = (
    put("content", *_C, "content", to=lambda v: v.replace("total is ", "total is 1")),
    put("code's indentation", *_C, "content", to=lambda v: v.replace("print", "  print")),
    put("arguments", *_C, "tool_calls", 0, "function", "arguments", to=lambda v: v.replace(": ", ": 1")),
    put(
        "argument's name",
        *_C,
        "tool_calls",
        0,
        "function",
        "arguments",
        to=lambda v: v.replace('"a"', '"b"'),
        most=2,
    ),
    put("kind of id", *_C, "tool_calls", 0, "id", to=lambda v: v.replace("call_", "tool_")),
    put("fingerprint", "system_fingerprint", to=lambda v: "fp_" + v[3:][::-1] + "0"),
    put("model", "model", to=lambda v: v.replace("07-18", "07-19")),
    put("finish", "choices", 0, "finish_reason", to=lambda _: "length"),
    put("tokens", "usage", "prompt_tokens", to=lambda v: v + 1),
    put("null became absent-like", "choices", 0, "logprobs", to=lambda _: {}),
    put("role", *_C, "role", to=lambda _: "system"),
    header("version header", "openai-version", lambda _: "2020-10-02"),
)


def _ledger(world: World, side: Side) -> Reply:
    number = world.number(10**7, 2 * 10**7)
    return Reply(
        {
            "jsonrpc": "2.0",
            "id": 7,
            "result": {
                "number": hex(number),
                "hash": f"0x{world.hex(64)}",
                "gasUsed": hex(world.number(10**6, 10**7)),
                "timestamp": hex(int(world.past().timestamp())),
                "balance": str(world.number(10**18, 10**21)),
                "transactions": [f"0x{world.hex(64)}" for _ in range(3)],
                "extraData": "0x",
            },
        },
        method="POST",
        target="/rpc",
        request_body=json.dumps({"jsonrpc": "2.0", "id": 7, "method": "getBlock", "params": [hex(number)]}),
    )


_LEDGER_FAULTS = (
    put("hex number", "result", "number", to=lambda v: hex(int(v, 16) + 1)),
    put("gas", "result", "gasUsed", to=lambda v: hex(int(v, 16) - 1)),
    put("hex time", "result", "timestamp", to=lambda v: hex(int(v, 16) + 86_400)),
    put("big text number", "result", "balance", to=lambda v: v[:-1] + str((int(v[-1]) + 1) % 10)),
    put("digit of a hash", "result", "transactions", 1, to=lambda v: v[:-1] + ("0" if v[-1] != "0" else "1")),
    put("hashes change places", "result", "transactions", to=lambda v: [v[1], v[0], v[2]], most=4),
    put("hash missing", "result", "transactions", to=lambda v: v[:2]),
    put("rpc id", "id", to=lambda _: 8),
    put("rpc id as text", "id", to=str),
    put("empty data", "result", "extraData", to=lambda _: "0x00"),
    put("result null", "result", to=lambda _: None),
)


def _task(world: World, side: Side) -> Reply:
    task = side.uuid()
    return Reply(
        {
            "taskId": task,
            "status": "QUEUED",
            "statusUrl": f"{side.url}/tasks/{task}/status?wait=30",
            "submittedAt": side.now().strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "expiresAt": (side.now(hours=24)).isoformat(),
            "dueDate": f"{side.now(days=14):%Y-%m-%d}",
            "owner": {"id": world.uuid(), "name": world.name()},
            "priority": world.number(1, 9),
            "message": f"Task {task} accepted on {side.now():%A, %d %B %Y at %H:%M:%S}; 3 ahead of you.",
        },
        status=202,
        method="POST",
        target="/tasks",
        headers=[
            ("Location", f"{side.url}/tasks/{task}"),
            ("Retry-After", "5"),
            ("Expires", http_date(side.now(minutes=1))),
            ("Operation-Location", f"{side.url}/operations/{side.hex(32)}?api-version=2024-01-01"),
        ],
    )


_TASK_FAULTS = (
    put("due date a day off", "dueDate", to=day_off),
    put("expires in two days", "expiresAt", to=day_off),
    put("path beside an id", "statusUrl", to=lambda v: v.replace("/status", "/state")),
    put("query beside an id", "statusUrl", to=lambda v: v.replace("wait=30", "wait=3")),
    put("url of another task", "statusUrl", to=lambda v: v.replace(v.split("/")[4], _OTHER)),
    put("count beside noise", "message", to=lambda v: v.replace("3 ahead", "4 ahead")),
    put("word beside noise", "message", to=lambda v: v.replace("accepted", "rejected")),
    put("status", "status", to=lambda _: "DONE"),
    put("priority", "priority", to=lambda v: v + 1),
    header("location's path", "Location", lambda v: v.replace("/tasks/", "/jobs/")),
    header("version of an operation", "Operation-Location", lambda v: v.replace("2024-01-01", "2024-02-01")),
    header("retry after", "Retry-After", lambda _: "50"),
    header("expires later", "Expires", lambda v: v.replace(v.split()[3], str(int(v.split()[3]) + 1))),
    lose_header("location lost", "Location"),
)
_OTHER = "0b5f2c7e-4a1d-4c3b-9e8f-5d6a7b8c9d0e"


def _script(world: World, side: Side) -> Reply:
    body = f"""/*! build {world.number(100, 999)} */
window.CONFIG = {{api: "{side.url}/v1", retries: {world.number(1, 5)}, csrf: "{side.hex(40)}", loadedAt: {side.millis()}}};
function total(items) {{ return items.reduce((sum, item) => sum + item.price * {world.number(1, 9)}, 0); }}
"""
    return Reply(
        body,
        "text/javascript; charset=utf-8",
        headers=[("X-Content-Type-Options", "nosniff")],
        target="/config.js",
    )


_SCRIPT_FAULTS = (
    text("build", r"build (\d+)", lambda m: f"build {int(m[1]) + 1}"),
    text("retries beside noise", r"retries: (\d)", lambda m: f"retries: {int(m[1]) + 1}"),
    text("path beside a host", '/v1"', '/v2"'),
    text("factor", r"price \* (\d)", lambda m: f"price * {int(m[1]) + 1}"),
    text("operator", r"sum \+", "sum -"),
    lose_header("nosniff lost", "X-Content-Type-Options"),
)


def _nothing(world: World, side: Side) -> Reply:
    return Reply(
        b"", "text/plain", status=204, method="DELETE", target=f"/orders/{world.number(1, 99)}",
        headers=[("Allow", "GET, DELETE"), ("Access-Control-Max-Age", "600"), ("X-Correlation-Id", side.base62(20))],
    )  # fmt: skip


_NOTHING_FAULTS = (
    status("status", 200),
    header("allowed", "Allow", lambda _: "GET"),
    header("age of a preflight", "Access-Control-Max-Age", lambda _: "6000"),
    add_header("header added", "X-Debug", "on"),
)


def _dashboard(world: World, side: Side) -> Reply:
    return Reply(
        {
            "calls": f"{side.dice.randint(1, 39)}/40",
            "visitors": side.dice.randint(100, 900),
            "featured": [side.dice.choice(("amber", "birch", "cedar", "delta")) for _ in range(3)],
            "load": [round(side.jitter(0, 4), 2) for _ in range(3)],
            "orders": world.number(10, 99),
            "stock": {world.word(): world.number(0, 9)},
        },
        headers=[("X-Variant", side.dice.choice("AB"))],
        target="/dashboard",
    )


_DASHBOARD_FAULTS = (
    put("orders", "orders", to=lambda v: v + 1),
    drop("visitors lost", "visitors"),
    put("type of visitors", "visitors", to=str),
)

SERVICES = (
    Service("token endpoint", _token, _TOKEN_FAULTS),
    Service("discovery", _discovery, _DISCOVERY_FAULTS),
    Service("health", _health, _HEALTH_FAULTS),
    Service("problem", _problem, _PROBLEM_FAULTS),
    Service("spring error", _spring, _SPRING_FAULTS),
    Service("chat message", _chat, _CHAT_FAULTS),
    Service("completion", _completion, _COMPLETION_FAULTS),
    Service("ledger rpc", _ledger, _LEDGER_FAULTS),
    Service("task accepted", _task, _TASK_FAULTS),
    Service("script", _script, _SCRIPT_FAULTS),
    Service("no content", _nothing, _NOTHING_FAULTS),
    Service("dashboard", _dashboard, _DASHBOARD_FAULTS, restless=True),
)
