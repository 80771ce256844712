"""What two sides of an answer share (the stored world) and what each has for itself (a side)."""

from __future__ import annotations

import base64
import string
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

BASE62 = string.ascii_letters + string.digits
NAMES = (
    "Ana Souza",
    "Jürgen Müller",
    "Siân O'Neill",
    "Zoë Łukasiewicz",
    "Mei-Ling Chen",
    "Ibrahim Yıldız",
    "Søren Ågård",
    "Priya Natarajan",
    "Tom Baker",
)
WORDS = [
    "amber",
    "anchor",
    "basil",
    "beacon",
    "birch",
    "cedar",
    "cobalt",
    "copper",
    "coral",
    "delta",
    "ember",
    "fern",
    "flint",
    "garnet",
    "harbor",
    "hazel",
    "indigo",
    "ivory",
    "jasper",
    "juniper",
    "kestrel",
    "lagoon",
    "laurel",
    "maple",
    "marble",
    "meadow",
    "nickel",
    "opal",
    "orchid",
    "pewter",
    "prairie",
    "quartz",
    "raven",
    "saffron",
    "sierra",
    "slate",
    "sparrow",
    "summit",
    "thistle",
    "timber",
    "topaz",
    "umber",
    "violet",
    "walnut",
    "willow",
    "zephyr",
]


@dataclass(frozen=True)
class World:
    """What is stored, the same for both sides: made from one seed, around the moment `base`."""

    dice: Random
    base: datetime

    def number(self, low: int, high: int) -> int:
        return self.dice.randint(low, high)

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def cents(self, low: int = 100, high: int = 250_000) -> int:
        return self.dice.randint(low, high)

    def price(self) -> str:
        return f"{self.cents() / 100:.2f}"

    def name(self) -> str:
        return self.dice.choice(NAMES)

    def word(self) -> str:
        return self.dice.choice(WORDS)

    def words(self, count: int) -> str:
        return " ".join(self.dice.sample(WORDS, count))

    def title(self) -> str:
        return self.words(self.number(2, 4)).capitalize()

    def sentence(self) -> str:
        return self.words(self.number(6, 12)).capitalize() + "."

    def hex(self, length: int) -> str:
        return f"{self.dice.getrandbits(4 * length):0{length}x}"

    def base62(self, length: int) -> str:
        return "".join(self.dice.choices(BASE62, k=length))

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def past(self, days: float = 900) -> datetime:
        """A stored time, at least an hour before the answers."""
        return self.base - timedelta(seconds=self.dice.randint(3600, int(days * 86400)))

    def lately(self) -> datetime:
        """A stored time some minutes before the answers: near them, but it does not move with them."""
        return self.base - timedelta(seconds=self.dice.randint(90, 1800))

    def future(self, days: float = 400) -> datetime:
        return self.base + timedelta(seconds=self.dice.randint(2 * 86400, int(days * 86400)))


@dataclass(frozen=True)
class Side:
    """What one side has for itself: its name, its clock, its own chance; `style` is how it writes."""

    host: str
    scheme: str
    began: float
    seconds: float
    clock: float
    dice: Random
    style: Random = field(default_factory=lambda: Random(0))

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    def now(self, **offset: float) -> datetime:
        return datetime.fromtimestamp(self.clock, UTC) + timedelta(**offset)

    def unix(self, offset: float = 0) -> int:
        return int(self.clock + offset)

    def millis(self, offset: float = 0) -> int:
        return int((self.clock + offset) * 1000)

    def micros(self, offset: float = 0) -> int:
        return int((self.clock + offset) * 1_000_000)

    def jitter(self, low: float, high: float) -> float:
        return self.dice.uniform(low, high)

    def hex(self, length: int) -> str:
        return f"{self.dice.getrandbits(4 * length):0{length}x}"

    def base62(self, length: int) -> str:
        return "".join(self.dice.choices(BASE62, k=length))

    def upper(self, length: int) -> str:
        return "".join(self.dice.choices(string.ascii_uppercase + string.digits, k=length))

    def secret(self, size: int) -> str:
        return base64.urlsafe_b64encode(self.dice.randbytes(size)).decode().rstrip("=")

    def base64(self, size: int) -> str:
        return base64.b64encode(self.dice.randbytes(size)).decode()

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def trace(self) -> str:
        return f"00-{self.hex(32)}-{self.hex(16)}-01"


def zulu(moment: datetime) -> str:
    """`2026-03-01T10:00:00Z`"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def millis(moment: datetime) -> str:
    """`2026-03-01T10:00:00.123Z`"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def micros(moment: datetime) -> str:
    """`2026-03-01T10:00:00.123456+00:00`"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def http_date(moment: datetime) -> str:
    """`Sun, 01 Mar 2026 10:00:00 GMT`"""
    days, months = (
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    )
    moment = moment.astimezone(UTC)
    return f"{days[moment.weekday()]}, {moment.day:02d} {months[moment.month - 1]} {moment.year} {moment:%H:%M:%S} GMT"
