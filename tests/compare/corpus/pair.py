"""A labelled pair of answers, and the two sides that make one."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

from traffic_mirror.compare.model import Answer
from traffic_mirror.copies.request import FrozenRequest


class Noise:
    """A value that its side made for this answer; a change never touches it."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __str__(self) -> str:
        return str(self.value)


@dataclass
class Side:
    """One side as a service sees it: its clock, its randomness, its name."""

    now: float
    rng: random.Random
    host: str
    scheme: str
    style: random.Random
    """The same on both sides: which format a service writes its times and ids in."""

    @property
    def base(self) -> str:
        return f"{self.scheme}://{self.host}"

    def hex(self, digits: int) -> Noise:
        return Noise("".join(self.rng.choices("0123456789abcdef", k=digits)))

    def uuid(self) -> Noise:
        return Noise(str(uuid.UUID(int=self.rng.getrandbits(128), version=4)))

    def token(self, octets: int) -> Noise:
        return Noise(base64.urlsafe_b64encode(self.rng.randbytes(octets)).decode().rstrip("="))

    def nano(self, length: int = 21) -> Noise:
        letters = "useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict"
        return Noise("".join(self.rng.choices(letters, k=length)))

    def ulid(self) -> Noise:
        value = (int(self.now * 1000) << 80) | self.rng.getrandbits(80)
        digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
        return Noise("".join(digits[(value >> shift) & 31] for shift in range(125, -1, -5)))

    def object_id(self) -> Noise:
        return Noise(f"{int(self.now):08x}{self.rng.getrandbits(64):016x}")

    def uuid7(self) -> Noise:
        value = (int(self.now * 1000) << 80) | self.rng.getrandbits(80)
        value = (value & ~(0xF << 76)) | (7 << 76)
        value = (value & ~(3 << 62)) | (2 << 62)
        return Noise(str(uuid.UUID(int=value)))

    def snowflake(self) -> Noise:
        return Noise(str((int((self.now - 1288834974.657) * 1000) << 22) | self.rng.getrandbits(22)))

    def request_id(self) -> Noise:
        """A fresh id in the format that this service has."""
        makers: list[Callable[[], Noise]] = [
            self.uuid,
            lambda: self.hex(32),
            lambda: self.hex(16),
            self.ulid,
            self.nano,
            self.object_id,
            self.uuid7,
            lambda: Noise("req_" + str(self.token(18))),
            lambda: self.token(16),
        ]
        return self.style.choice(makers)()

    def time(self, away: float = 0.0) -> Noise:
        """The moment (and some way from it) in the format that this service has."""
        return Noise(self.style.choice(TIMES)(datetime.fromtimestamp(self.now + away, UTC)))

    def unix(self, away: float = 0.0) -> Noise:
        at = self.now + away
        return Noise(self.style.choice([int(at), int(at * 1000), round(at, 3), int(at * 1e6), int(at * 1e9)]))


BERLIN = timezone(timedelta(hours=1))
TIMES: list[Callable[[datetime], str]] = [
    lambda t: t.isoformat(),
    lambda t: t.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ"),
    lambda t: t.strftime("%Y-%m-%d %H:%M:%S"),
    lambda t: t.strftime("%Y-%m-%d %H:%M:%S.%f"),
    lambda t: t.astimezone(BERLIN).isoformat(),
    lambda t: t.astimezone(BERLIN).strftime("%d.%m.%Y %H:%M:%S"),
    lambda t: t.strftime("%m/%d/%Y, %I:%M:%S %p"),
    lambda t: format_datetime(t, usegmt=True),
    lambda t: t.strftime("%a %b %d %H:%M:%S %Y"),
    lambda t: t.strftime("%d/%b/%Y:%H:%M:%S +0000"),
    lambda t: t.strftime("%Y%m%dT%H%M%SZ"),
    lambda t: t.strftime("%B %d, %Y at %I:%M:%S %p UTC"),
    lambda t: f"/Date({int(t.timestamp() * 1000)})/",
]


@dataclass
class Reply:
    """What a service answers: `body` is a tree that may hold `Noise`; `render` makes bytes of it."""

    body: object
    render: Callable[[object], bytes]
    content_type: str = "application/json"
    status: int = 200
    headers: list[tuple[str, object]] = field(default_factory=list)
    method: str = "GET"
    target: str = "/"
    request_body: bytes = b""


@dataclass
class Pair:
    """Two answers to one request; `change` names the known difference, empty where all differs by noise.

    `places` are the general places of which one must be reported; `mentions` are texts that reported values
    must hold."""

    service: str
    number: int
    primary: Answer
    copy: Answer
    request: FrozenRequest
    change: str = ""
    places: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()


def plain(value: object) -> object:
    """The tree without its marks."""
    if isinstance(value, Noise):
        return plain(value.value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def as_json(value: object) -> bytes:
    return json.dumps(plain(value), ensure_ascii=False).encode()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
