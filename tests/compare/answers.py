"""Answers for tests, written short."""

from __future__ import annotations

import base64
import json
import random
import uuid
from datetime import UTC, datetime

from traffic_mirror.compare import Answer, Policy, Verdict, compile_policy, judge
from traffic_mirror.compare.findings import Learned
from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.spec.model import Compare

NOW = 1_795_428_000.37
"""2026-11-23T10:00:00.37Z, of all moments one at a whole hour."""

LATER = NOW + 0.8
PRIMARY = ("api.example.test",)
COPY = ("shadow.test:8443", "shadow.test")
PLAIN = compile_policy(Compare())


def body_of(value: object) -> bytes:
    """Bytes and texts as they are, all else as JSON."""
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def answer(
    value: object,
    content_type: str = "application/json",
    *,
    headers: tuple[tuple[str, str], ...] = (),
    status: int = 200,
    began: float = NOW,
    hosts: tuple[str, ...] = PRIMARY,
) -> Answer:
    fields = (("Content-Type", content_type), *headers) if content_type else headers
    return Answer(
        status=status,
        headers=tuple((name.encode(), said.encode()) for name, said in fields),
        body=None if value is None else body_of(value),
        missing="" if value is not None else "streamed",
        hosts=hosts,
        began=began,
        seconds=0.05,
    )


def ask(method: str = "GET", target: str = "/x", body: bytes = b"") -> FrozenRequest:
    return FrozenRequest(
        id="flow",
        method=method.encode(),
        scheme="https",
        host=PRIMARY[0],
        port=443,
        authority=PRIMARY[0].encode(),
        target=target.encode(),
        http_version="HTTP/1.1",
        headers=(),
        body=body,
        time=NOW,
    )


def compare(
    first: object,
    second: object,
    content_type: str = "application/json",
    *,
    policy: Policy = PLAIN,
    request: FrozenRequest | None = None,
    headers: tuple[str | None, str | None] = (None, None),
    name: str = "",
    learned: Learned | None = None,
) -> Verdict:
    """The verdict of two bodies, or of two values of the header `name`."""
    both = [((name, said),) if said is not None else () for said in headers]
    primary = answer(first, content_type, headers=both[0])
    copy = answer(second, content_type, headers=both[1], began=LATER, hosts=COPY)
    return judge(primary, copy, policy, request=request or ask(), learned=learned)


def found(verdict: Verdict) -> list[tuple[str, str, object, object]]:
    return [(d.place, d.kind, d.primary, d.copy) for d in verdict.differences]


def aside(verdict: Verdict) -> list[tuple[str, str]]:
    return [(s.place, s.why) for s in verdict.set_aside]


_random = random.Random(20261123)


def new_uuid() -> str:
    return str(uuid.UUID(int=_random.getrandbits(128), version=4))


def new_hex(digits: int) -> str:
    return "".join(_random.choices("0123456789abcdef", k=digits))


def new_base64(octets: int) -> str:
    return base64.b64encode(_random.randbytes(octets)).decode()


def new_letters(length: int) -> str:
    return "".join(_random.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=length))


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def zulu(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
