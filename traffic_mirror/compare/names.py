"""What the name of a place says about its value: content, a thing of the moment, or a measurement.

Names only ever narrow what shapes allow, with two exceptions: short tokens and measurements, which no shape
can tell from business values, are noise only where their name says so.
"""

from __future__ import annotations

import re
from functools import lru_cache

_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


CONTENT = _set(
    """
    sha md sha1 sha224 sha256 sha384 sha512 md5 crc crc32 crc64 checksum digest hash integrity fingerprint
    commit revision blob sri etag thumbprint
    """
)
"""Names of values that are made from content: another value means other content."""

FRESH = _set(
    """
    request requestid req trace traceid tracing traceparent span spanid parentspan correlation
    correlationid session sessionid sess sid nonce csrf csrftoken xsrf antiforgery token bearer jwt
    state challenge verifier cursor signature sig ticket idempotency message messageid msg event eventid
    invocation execution run activity log instance process conversation query response call connection
    deployment pod node server host worker container replica boundary viewstate eventvalidation jti
    generated random unique temp tmp ephemeral captcha crumb visit visitor pageview impression render rendered
    requesttoken cache requestverificationtoken incident error fault debug reference continuation scroll
    upload operation phpsessid jsessionid authenticity otp salt iv anonymous anon guest
    """
)
"""Names of values that are made anew for each answer, or that belong to the machine that gave it."""

_ONLY_LONG = _set(
    """
    message messageid msg event eventid execution run activity log instance process conversation query
    response call connection deployment pod node server host worker container replica generated random unique
    temp tmp ephemeral visit visitor pageview impression render rendered cache incident error fault debug
    reference upload operation ticket idempotency anonymous anon guest boundary state
    """
)
"""Names of fresh values that stored ones have too (a booking's reference, a concert's event): only what is
random beyond doubt is fresh there."""

_SURE = FRESH - _ONLY_LONG
_RECORDS = _set(
    """
    message messageid msg event eventid execution run activity log process conversation query response call
    connection upload operation ticket idempotency visit visitor unique cache incident error fault reference
    guest
    """
)
"""Names of fresh values that are kept as well, and then served to whoever reads them: an event's, a run's."""

_OCCURRENCES = _set("reference ref incident error fault debug event log support occurrence")
_DESCRIBED = _set(
    """
    type code status name number kind class mode level version method count size title format scheme category
    reason role text label
    """
)
"""Last words of names that tell what a thing is like, and not which one it is."""

_EXCHANGES = _set(
    """
    request requestid req trace traceid span spanid parentspan parentspanid correlation correlationid nonce
    csrf csrftoken xsrf xsrftoken antiforgery session sessionid jti invocation traceparent crumb xid
    """
)
_FRESH_PAIRS = (("build", "id"), ("ray", "id"), ("form", "key"), ("digest", "value"))
_FRESH_ENDS = ("nonce", "token", "csrf", "xsrf", "requestid", "traceid", "sessionid")
"""Ends of words written together: `wpnonce`, `csrfmiddlewaretoken`."""

_SIGNATURES = _set("signature sig hmac")

STORED = _set(
    "address addr wallet key cert certificate license licence serial vin iban isbn tracking account sku "
    "password passphrase pwd psk secret"
)
"""Names of values that are kept for long, so that a request which only reads gets them as they were."""

IDS = _set(
    """
    id ids uuid guid uid oid identifier
    """
)
"""Last words of names of ids."""

PLAIN = _set(
    """
    data result results response meta metadata item items attributes payload object body content d value
    values entry node edges nodes list element record row root output envelope
    """
)
"""Names of containers that say nothing of what is in them."""

_ENVELOPES = _set("meta metadata envelope header headers context info debug request response trace status")
"""Names of what tells of the answer, and is as new as it."""

_CONTENTS = _set(
    """
    data result results item items attributes payload object d value values entry node edges nodes list
    element record row
    """
)
"""Names of containers of what the answer is about."""

ENDS = _set(
    """
    expires expiry expire exp valid until deadline ttl
    """
)
BEGINS = _set(
    """
    since from start begin begins after nbf before window earliest lower
    """
)
"""Names of the begin of a window of time that ends now."""

_PARTIES = _set(
    """
    user account tenant org organization organisation customer client company owner member team project
    workspace app application shop store merchant vendor partner subscription device group resource entity
    object document file item product order flowschema prioritylevel app
    """
)
_MACHINES = _set("pod host hostname server node instance container replica worker backend machine")
_MEASURED = _set(
    """
    query execution exec processing process response request render rendering server db database cpu
    wall search compute generation generating handler backend upstream parse resolve serialization sql took
    tracing timing timings
    """
)
_OWN = _set(
    "query execution exec render rendering db database cpu wall generation sql tracing timing timings parse "
    "backend server"
)
_SETTINGS = _set(
    "target limit max maximum min minimum budget threshold timeout sla goal interval delay expected allowed"
)
_FRACTIONS = _set("ms millis milliseconds us micros microseconds ns nanos nanoseconds")
LENGTHS = _set(
    """
    time duration latency ms millis milliseconds us micros ns nanos seconds secs s
    """
)
_AGES = (("age", "seconds"), ("age", "secs"), ("age", "ms"), ("age", "millis"))
_COUNTDOWNS = (
    ("expires", "in"),
    ("ttl",),
    ("reset", "in"),
    ("resets", "in"),
    ("retry", "after"),
)


@lru_cache(maxsize=8192)
def words(name: str) -> tuple[str, ...]:
    """The lower-case words of a name in camelCase, snake_case, kebab-case or prose; a `querytime` is two."""
    pieces = [piece.lower() for piece in _PIECES.findall(name[-80:])]
    return tuple(
        word
        for piece in pieces
        for word in ((piece[:-4], "time") if piece.endswith("time") and piece[:-4] in _MEASURED else (piece,))
    )


def is_content(name: tuple[str, ...]) -> bool:
    """Whether a value of this name is made from content."""
    return not CONTENT.isdisjoint(name) and name[-2:] not in _FRESH_PAIRS


def is_fresh(name: tuple[str, ...]) -> bool:
    """Whether a value of this name is made anew for each answer."""
    return _is_one_of(FRESH, name)


def is_envelope(name: tuple[str, ...]) -> bool:
    """Whether what has this name tells of the answer (`meta`, `_debug`) and not of what it is about."""
    return bool(name) and _ENVELOPES.issuperset(name)


def holds_content(name: tuple[str, ...]) -> bool:
    """Whether what has this name is what the answer is about: `data`, `items`."""
    return bool(name) and _CONTENTS.issuperset(name)


def is_record(name: tuple[str, ...]) -> bool:
    """Whether a fresh value of this name may as well be that of something kept: `event_id`, `run`."""
    return not _RECORDS.isdisjoint(name) and not _is_one_of(FRESH - _RECORDS, name)


def is_surely_fresh(name: tuple[str, ...]) -> bool:
    """Whether even a short value of this name is made anew for each answer."""
    return _is_one_of(_SURE, name) and name[-1] not in _DESCRIBED


def is_occurrence(name: tuple[str, ...]) -> bool:
    """Whether the name is one by which errors are looked up later: `reference`, `incident`, `error_id`."""
    return not _OCCURRENCES.isdisjoint(name) and name[-1] not in _DESCRIBED


def _is_one_of(words_: frozenset[str], name: tuple[str, ...]) -> bool:
    return (
        not words_.isdisjoint(name)
        or name[-2:] in _FRESH_PAIRS
        or any(word.endswith(_FRESH_ENDS) for word in name)
    )


def is_signature(name: tuple[str, ...]) -> bool:
    """Whether a value of this name is a signature: `t=1795428000,v1=5257a8…` and the like."""
    return not _SIGNATURES.isdisjoint(name)


def is_scheme(name: tuple[str, ...]) -> bool:
    """Whether the name is one by which a signature's value is said, within it: `v1`, `s`."""
    return name[:1] in (("v",), ("s",), ("h",)) or is_signature(name)


def is_exchange(name: tuple[str, ...]) -> bool:
    """Whether the name is of the id of one exchange: `request_id`, `trace`, `csrfToken`."""
    if not name:
        return False
    if name[-1] in _EXCHANGES:
        return True
    if len(name) == 1 or name[-1] not in IDS | {"token", "reference", "ref"}:
        return False
    return name[-2] in _EXCHANGES or name[-2] in ("error", "incident", "ray")


def names_a_thing(name: tuple[str, ...]) -> bool:
    """Whether the name is that of another thing's id: `customer_id`, `ownerUuid`."""
    return len(name) > 1 and name[-1] in IDS


def is_party(name: tuple[str, ...]) -> bool:
    """Whether the name is that of someone whom an exchange is about."""
    return not _PARTIES.isdisjoint(name)


def is_measurement(name: tuple[str, ...]) -> bool:
    """Whether the name says how long this answer took: `took`, `elapsed_ms`, `queryTime`; not `duration`."""
    if not name or not _SETTINGS.isdisjoint(name):
        return False
    if name[0] in ("took", "elapsed", "latency") or (
        name[-1] in ("took", "elapsed", "latency") or name[:2] == ("time", "taken")
    ):
        return True
    lengths = [word for word in name if word in LENGTHS]
    return bool(lengths) and (
        any(word in _MEASURED for word in name) or (name[0] in ("duration", "total") and len(lengths) > 1)
    )


def holds_measurements(name: tuple[str, ...]) -> bool:
    """Whether what has this name holds measurements of this answer: `tracing`, `timings`."""
    return not {"tracing", "timing", "timings"}.isdisjoint(name)


def is_own_measurement(name: tuple[str, ...]) -> bool:
    """Whether a measurement's name leaves no doubt that it is of this answer, however long that took."""
    if "took" in name or "latency" in name or name[:2] == ("time", "taken"):
        return True
    if not _FRACTIONS.isdisjoint(name):
        return "elapsed" in name or not _MEASURED.isdisjoint(name)
    return not _OWN.isdisjoint(name)


def is_machine(name: tuple[str, ...]) -> bool:
    """Whether the name is that of the machine which answered: `hostname`, `pod`, `server_id`."""
    return not _MACHINES.isdisjoint(name)


def is_uptime(name: tuple[str, ...]) -> bool:
    """Whether the name says how long a machine has been up."""
    return "uptime" in name and {"percent", "percentage", "pct", "ratio", "sla"}.isdisjoint(name)


def is_countdown(name: tuple[str, ...]) -> bool:
    """Whether the name says how long something still lasts: `expires_in`, `ttl`."""
    return any(name[: len(words_)] == words_ or name[-len(words_) :] == words_ for words_ in _COUNTDOWNS) or (
        "remaining" in name and not LENGTHS.isdisjoint(name)
    )


def is_age(name: tuple[str, ...]) -> bool:
    """Whether the name says how long ago something was, in units that no one's age is told in."""
    return name[-2:] in _AGES and _SETTINGS.isdisjoint(name)


def unit(name: tuple[str, ...]) -> float:
    """How many of a measurement's unit make a second, as its name says; milliseconds where it does not."""
    last = set(name)
    if last & {"s", "sec", "secs", "seconds"}:
        return 1.0
    if last & {"us", "micros", "microseconds"}:
        return 1e6
    return 1e9 if last & {"ns", "nanos", "nanoseconds", "tracing"} else 1e3
