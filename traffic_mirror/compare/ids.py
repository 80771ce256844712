"""Ids and tokens: whether two of them are fresh random values of one shape, or name different things.

A value made anew for each answer is noise; so is one that carries its time of making, near now. What was
made from content (a checksum), what was stored (a time-carrying id of last week) and what differs in a digit
or two (an order number) is a difference.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import math
import re
from collections.abc import Callable
from typing import NamedTuple

from traffic_mirror.compare import names
from traffic_mirror.compare.moments import Moment, moved, near
from traffic_mirror.compare.scene import Scene

UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9+/_=.~-]+")
_DIGEST_LENGTHS = frozenset({40, 56, 64, 96, 128})
_MIN_HEX = 16
_MIN_TOKEN = 16
_LONG_TOKEN = 20
_MIN_NAMED = 8
_OLDEST = 1_230_768_000.0
_ALIKE = 0.45
_LEADING_ZEROS = 2
_LOOSE = 0.3
_FEW = 3
_CROCKFORD = {c: i for i, c in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
_BASE62 = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")}
_GREGORIAN = 122_192_928_000_000_000
_SNOWFLAKES = (
    (22, 1e3, 1_288_834_974.657),
    (22, 1e3, 1_420_070_400.0),
    (22, 1e3, 1_735_689_600.0),
    (23, 1e3, 1_314_220_021.721),
    (24, 1e2, 1_409_529_600.0),
)
"""Bits after the time, its units in a second, and since when it counts, of Twitter, Discord and others."""


Stamps = tuple[float, float, float]
"""Both sides' moments of a stamp, and the seconds that its last digit is worth."""


class Mark(NamedTuple):
    """That a piece of a value was set aside, and why. `first` and `second` are the ids of which one stands
    for the other, empty where none does; `stored` asks for a sign that what holds it was made for this
    answer. `at` is set for a stamp; `window` asks for a sign that a stamp before
    now is the begin of a window: one that moved as much, at a round distance."""

    why: str
    first: str = ""
    second: str = ""
    stored: bool = False
    at: Stamps = (0.0, 0.0, 0.0)
    window: bool = False


class Name(NamedTuple):
    """What is known of where a value is: the words of its name, whether it is in an element of a list, and
    whether in a body, which may hold what is kept."""

    words: tuple[str, ...] = ()
    listed: bool = False
    secret: bool = False
    in_body: bool = False


def explain_uuid(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two UUIDs: fresh ones, by their time where they carry one."""
    if a[14] != b[14] or (a == a.lower()) != (b == b.lower()):
        return None
    if a[14] in "167":
        return Mark("uuid", a, b) if _made_now(_uuid_time(a), _uuid_time(b), scene) else None
    if a[14] in "35" or likeness(a.replace("-", "").lower(), b.replace("-", "").lower()) > _ALIKE:
        return None
    return fresh("uuid", a, b, name, scene)


def _uuid_time(text: str) -> Moment:
    digits = text.replace("-", "")
    if text[14] == "7":
        return Moment(int(digits[:12], 16) / 1e3, 1e-3, True)
    order = digits[13:16] + digits[8:12] + digits[:8] if text[14] == "1" else digits[:12] + digits[13:16]
    return Moment((int(order, 16) - _GREGORIAN) / 1e7, 1e-7, True)


def fresh(why: str, a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two random values as fresh ids, unless their name says that they stand for content or for another
    thing."""
    if names.is_content(name.words) and not name.secret:
        return Mark("etag", a, b, stored=True) if "etag" in name.words else None
    if name.secret or names.is_fresh(name.words):
        return Mark(why, a, b, stored=_may_be_kept(name, scene))
    if scene.reads and (names.names_a_thing(name.words) or not names.STORED.isdisjoint(name.words)):
        return None
    if scene.reads and why == "id" and a.isupper() and not _HEX.fullmatch(a):
        return None
    return Mark(why, a, b, stored=scene.reads and name.listed)


def _may_be_kept(name: Name, scene: Scene) -> bool:
    """Whether an id of a fresh name may as well be that of something that was there before: an event, or one
    of the machines that are listed."""
    if name.secret or not name.in_body or not scene.reads or scene.failed:
        return False
    return names.is_record(name.words) or (name.listed and not names.is_surely_fresh(name.words))


def explain_token(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two tokens (letters, digits, `-`, `_` and what base64 has) as one fresh value."""
    if _TRACEPARENT.fullmatch(a) and _TRACEPARENT.fullmatch(b) and a[:3] + a[-2:] != b[:3] + b[-2:]:
        return None
    dashed = UUID.fullmatch(a), UUID.fullmatch(b)
    if any(dashed):
        return explain_uuid(a, b, name, scene) if all(dashed) else None
    if _unlike_hex(a, b) or (_is_iban(a) and _is_iban(b)):
        return None
    if _count_now(a, b, scene):
        return Mark("timestamp")
    for read in _CARRIERS:
        times = read(a), read(b)
        if times[0] is not None and times[1] is not None:
            if _made_now(times[0], times[1], scene):
                return Mark("id", a, b)
            kept = not names.is_fresh(name.words) or _may_be_kept(name, scene)
            if kept and _past(times[0], scene) and _past(times[1], scene):
                return None
    if not _alike_random(a, b, name, sure=_is_sure(name, scene)):
        return None
    return fresh("id", a, b, name, scene)


def _is_sure(name: Name, scene: Scene) -> bool:
    """Whether the name leaves no doubt that a value is fresh; what an error names is its own occurrence."""
    told = scene.failed and names.is_occurrence(name.words)
    return name.secret or told or names.is_surely_fresh(name.words)


def _alike_random(a: str, b: str, name: Name, *, sure: bool) -> bool:
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    start = max(a.rfind(c, 0, start) for c in "-_.:~") + 1
    x, y = a[start:], b[start:]
    if unlike_kinds(x, y) or min(len(set(x)), len(set(y))) < _FEW:
        return False
    least = _MIN_NAMED if sure else _MIN_TOKEN
    if min(len(x), len(y)) < least or likeness(x, y) > _ALIKE:
        return False
    if _HEX.fullmatch(x) and _HEX.fullmatch(y):
        named = sure or names.is_fresh(name.words) or "etag" in name.words
        digest = len(x) in _DIGEST_LENGTHS and not named
        return (
            len(x) == len(y) and not digest and (sure or (_mixed(x) and _mixed(y)) or len(x) >= _MIN_HEX * 2)
        )
    near_length = abs(len(x) - len(y)) <= (_LOOSE * max(len(x), len(y)) if sure else 0)
    if sure and min(len(x), len(y)) >= _MIN_HEX and x.isalnum() and y.isalnum():
        return near_length and all(len(set(text)) >= 8 and not _is_wordy(text) for text in (x, y))
    if name.words[-1:] and name.words[-1] in names.IDS and _are_random_together(x, y):
        return True
    return near_length and looks_random(x) and looks_random(y)


def unlike_kinds(x: str, y: str) -> bool:
    """Whether two ids say of what kind they are (`ch_…`, `pi_…`, or nothing) and mean different ones, or have
    their hexadecimal digits grouped, written or counted in different ways."""
    kinds = _KIND.fullmatch(x), _KIND.fullmatch(y)
    if kinds[0] and kinds[1] and kinds[0].groups() != kinds[1].groups():
        return True
    if (kinds[0] is None) != (kinds[1] is None) and _is_bare(x, y, kinds[0] or kinds[1]):
        return True
    if _unlike_hex(x, y):
        return True
    groups = [
        [len(part) for part in text.split("-")] if _GROUPED.fullmatch(text) else None for text in (x, y)
    ]
    return groups[0] != groups[1]


_KIND = re.compile(
    r"((?:[a-z]{2,12}_)+)[A-Za-z0-9]+|([a-z]{2,12}-)(?:[a-z0-9]+[-_])*[a-z0-9]+|([A-Z]{2,5}[-_])[A-Za-z0-9]+"
)
_GROUPED = re.compile(r"[0-9a-f]{4,}(?:-[0-9a-f]{2,})+", re.IGNORECASE)


def _is_bare(x: str, y: str, kind: re.Match[str] | None) -> bool:
    """Whether the one id is as long as what the other has after its kind."""
    said = next(filter(None, kind.groups()), "") if kind else ""
    return abs(len(x) - len(y)) == len(said) > 0


def _unlike_hex(x: str, y: str) -> bool:
    """Whether hexadecimal digits are of another case, or shorter by more than leading zeros may be."""
    if min(len(x), len(y)) < _MIN_HEX or not (_HEX.fullmatch(x) and _HEX.fullmatch(y)):
        return False
    cased = not (x.isdigit() or y.isdigit()) and x.islower() != y.islower()
    return cased or abs(len(x) - len(y)) > _LEADING_ZEROS


def _mixed(text: str) -> bool:
    return not text.isdigit() and not text.isalpha()


def likeness(x: str, y: str) -> float:
    """The share of places at which two texts hold the same character."""
    return sum(map(str.__eq__, x, y)) / max(len(x), len(y), 1)


def looks_random(text: str) -> bool:
    """Whether letters and digits alternate as chance has them, and no words or counters show."""
    if not _TOKEN.fullmatch(text) or len(set(text)) < min(8, len(text) * 0.6):
        return False
    kinds = [_kind(c) for c in text.rstrip("=")]
    changes = sum(x != y for x, y in itertools.pairwise(kinds))
    switches = changes / max(1, len(kinds) - 1)
    has = set(kinds)
    if not has & {"u", "l"} or _is_slug(text):
        return False
    if len(has - {"s"}) > 1 and len(text) >= _MIN_TOKEN and _surprise(text) >= _NO_WORDS:
        return True
    if "d" in has and changes > 1 and len(text) >= _LONG_TOKEN and _surprise(text) >= _FEW_WORDS:
        return True
    if {"u", "l"} <= has:
        return switches >= (0.25 if "d" in has else 0.3) and not _is_camel(text)
    return "d" in has and switches >= 0.2 and kinds.count("d") >= 2


def _are_random_together(x: str, y: str) -> bool:
    """Whether two ids of one length and alphabet are drawn by chance, where one happens to look like letters
    that are written: together they do not."""
    cases = [{_kind(c) for c in text} - {"d"} for text in (x, y)]
    if (
        len(x) != len(y)
        or cases[0] != cases[1]
        or "s" in cases[0]
        or not (looks_random(x) or looks_random(y))
    ):
        return False
    surprises = _surprise(x), _surprise(y)
    return min(surprises) >= _WORDS and sum(surprises) >= 0


_SHARES = {
    "e": 12.7, "t": 9.1, "a": 8.2, "o": 7.5, "i": 7.0, "n": 6.7, "s": 6.3, "h": 6.1, "r": 6.0, "d": 4.3,
    "l": 4.0, "c": 2.8, "u": 2.8, "m": 2.4, "w": 2.4, "f": 2.2, "g": 2.0, "y": 2.0, "p": 1.9, "b": 1.5,
    "v": 1.0, "k": 0.8, "j": 0.5, "x": 0.5, "q": 0.5, "z": 0.5,
}  # fmt: skip
"""Per cent of each letter in what is written; rare ones as often as other languages have them."""

_SURPRISES = {letter: math.log2(100 / 26 / share) for letter, share in _SHARES.items()}
_NO_WORDS = 6.0
_FEW_WORDS = -2.0
_WORDS = -4.0
_HUMPS = re.compile(r"[A-Z]?[a-z]{2,}")
_CAMEL = 0.7


def _is_camel(text: str) -> bool:
    """Whether a text is words that are written together: `getUserByName2`."""
    return sum(map(len, _HUMPS.findall(text))) >= _CAMEL * len(text) and _surprise(text) < 0


def _is_wordy(text: str) -> bool:
    """Whether a text is words beyond doubt, as chance hardly ever makes it look."""
    return _is_camel(text) and _surprise(text) < _WORDS


def _surprise(text: str) -> float:
    """How much likelier the letters of a text are drawn than written, in bits."""
    return sum(_SURPRISES.get(c, 0.0) for c in text.lower())


def _kind(c: str) -> str:
    return "d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "s"


def _is_slug(text: str) -> bool:
    chunks = re.split(r"[-_.~]", text)
    return len(chunks) > 1 and all(c.isdigit() or _is_word(c) for c in chunks if c)


def _is_word(text: str) -> bool:
    return text.isalpha() and (text[1:].islower() or text[1:].isupper() or len(text) == 1)


_IBAN = re.compile(r"[A-Z]{2}\d{2}[0-9A-Z]{11,30}")


def _is_iban(text: str) -> bool:
    """Whether a text is the number of a bank account, as its check digits say (ISO 13616)."""
    if not _IBAN.fullmatch(text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _made_now(a: Moment, b: Moment, scene: Scene) -> bool:
    return moved((a,), (b,), scene.nows)


def _past(a: Moment, scene: Scene) -> bool:
    return bool(scene.nows) and _OLDEST <= a.at <= scene.nows[0][0].ended + 86400


_HEX_COUNTS = {8: (8, 1.0), 13: (8, 1.0), 11: (11, 1e3)}
"""By their length: how many hexadecimal digits count the time, and its units in a second. Thirteen are
seconds with a fraction of its own, as PHP's `uniqid` has them."""


def _count_now(a: str, b: str, scene: Scene) -> bool:
    """Whether two texts written alike count the time of their answers in hexadecimal digits."""
    first, second = _hex_count(a), _hex_count(b)
    if first is None or second is None or len(a) != len(b):
        return False
    if not (a.isdigit() or b.isdigit()) and a.islower() != b.islower():
        return False
    return any(near(first, now_a) and near(second, now_b) for now_a, now_b in scene.nows)


def _hex_count(text: str) -> Moment | None:
    digits = text.removeprefix("0x")
    if len(digits) not in _HEX_COUNTS or not _HEX.fullmatch(digits):
        return None
    size, units = _HEX_COUNTS[len(digits)]
    return Moment(int(digits[:size], 16) / units, 1 / units, True)


def _object_id(text: str) -> Moment | None:
    return Moment(float(int(text[:8], 16)), 1.0, True) if len(text) == 24 and _HEX.fullmatch(text) else None


def _ulid(text: str) -> Moment | None:
    if not _ULID.fullmatch(text):
        return None
    at = 0
    for c in text[:10].upper():
        at = at * 32 + _CROCKFORD[c]
    return Moment(at / 1e3, 1e-3, True)


def _ksuid(text: str) -> Moment | None:
    if len(text) != 27 or not (text.isascii() and text.isalnum()):
        return None
    value = 0
    for c in text:
        value = value * 62 + _BASE62[c]
    return Moment(1_400_000_000.0 + (value >> 128), 1.0, True)


def _cuid(text: str) -> Moment | None:
    if len(text) != 25 or text[0] != "c" or not (text.isascii() and text.isalnum() and text.islower()):
        return None
    return Moment(int(text[1:9], 36) / 1e3, 1e-3, True)


_CARRIERS: tuple[Callable[[str], Moment | None], ...] = (_object_id, _ulid, _ksuid, _cuid)


def explain_digits(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two long decimal ids that carry their time (snowflakes), or that their name calls fresh."""
    if names.is_surely_fresh(name.words) and min(len(a), len(b)) >= _MIN_TOKEN and likeness(a, b) <= _ALIKE:
        return Mark("id", a, b)
    if not (17 <= len(a) <= 19 and 17 <= len(b) <= 19):
        return None
    for bits, units, epoch in _SNOWFLAKES:
        times = [Moment((int(text) >> bits) / units + epoch, 1 / units, True) for text in (a, b)]
        if _made_now(times[0], times[1], scene):
            return Mark("id", a, b)
    return None


def decode_text(token: str) -> str | None:
    """The readable text that a base64 token holds; None where it holds none."""
    if len(token) < 8 or len(token) > 16384:
        return None
    plain = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        text = data.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text if text.isprintable() and len(text) >= 4 else None


_MAGIC = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"%PDF",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"RIFF",
    b"\x30\x82",
    b"<svg",
    b"BM",
)


def holds_content(token: str) -> bool:
    """Whether a base64 token is a known kind of file, or too long to be a token."""
    if len(token) > 8192:
        return True
    plain = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(plain[: 24 if len(plain) >= 24 else len(plain) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return False
    return data.startswith(_MAGIC)
