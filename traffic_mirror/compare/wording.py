"""Texts: cut into what is said and the pieces that may be noise, then compared piece by piece.

What is said must be the same on both sides. A stamp, an id, a host name, a duration or a "3 minutes ago" may
differ, and only that piece is set aside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

from traffic_mirror.compare import moments, names
from traffic_mirror.compare.amounts import explain_amount, explain_measured_text
from traffic_mirror.compare.exchanges import explain_exchange
from traffic_mirror.compare.hosts import explain_host
from traffic_mirror.compare.ids import (
    Mark,
    Name,
    decode_text,
    explain_digits,
    explain_token,
    explain_uuid,
    holds_content,
    likeness,
    looks_random,
)
from traffic_mirror.compare.jwt import JWT, explain_jwt
from traffic_mirror.compare.moments import Moment, read_unix
from traffic_mirror.compare.phrases import AGO, TOOK, UP, explain_ago, explain_took, explain_up
from traffic_mirror.compare.scene import Scene

MAX_TEXT = 64 * 1024
"""Where unlike parts of single values are longer, they are content, and not searched for noise."""

_LONG = 16 * 1024
_AROUND = 4096

_MIN_LENGTH = 3
_DECODED_DEPTH = 2

_CLOCK = r"\d{1,2}(?:[:h]| h )\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\b\.?)?"
_ZONE = r"(?: ?(?:Z\b|UTC|GMT|[+-]\d{2}:?\d{2}(?!\d)|[+-]\d{2}(?![\d:-])))?"
_AT = rf"(?:[ ,:]{{1,2}}(?:um |à |at |a las |alle |om )?{_CLOCK}{_ZONE})?"
_EAST_ASIAN = (
    r"\d{4}[年년] ?\d{1,2}[月월] ?\d{1,2}[日일]"
    r"(?: ?\d{1,2}(?:[時时시点] ?\d{1,2}[分분](?: ?\d{1,2}[秒초])?|:\d\d(?::\d\d)?))?"
)
_TIMES = (
    r"\d{4}-\d\d-\d\d[T_-]\d\d-\d\d-\d\dZ?(?![0-9])",
    _EAST_ASIAN,
    rf"\d{{4}}[-/.]\d\d[-/.]\d\d(?:[Tt _]{_CLOCK}{_ZONE}(?:\[[\w/]{{1,40}}\])?)?(?![0-9])",
    r"20\d{6}(?:[T_-]?\d{6}(?:\.?\d{1,9})?(?:Z|[+-]\d{4})?)?(?![0-9A-Za-z])",
    r"(?:[^\W\d]{2,12}[.,]{0,2} )?\d{1,2}\.?[ /-](?:de |d')?[^\W\d]{3,12}\.?,?[ /-](?:de )?\d{4}(?![\w-])"
    + _AT,
    r"(?:[^\W\d]{3,9},? )?[^\W\d]{3,10}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}(?![\w-])" + _AT,
    r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?: [A-Z]{3,4})? \d{4}",
    rf"\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{4}}{_AT}(?![0-9])",
    rf"\d{{1,2}}:\d\d:\d\d(?:[.,]\d{{1,9}})?(?: ?[AaPp]\.?[Mm]\b\.?)?{_ZONE}(?![:\d])",
)
_STRONG = re.compile(
    rf"(?P<jwt>{JWT.pattern})"
    r"|(?<![0-9a-fA-F])(?P<uuid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})(?![0-9a-fA-F])"
    rf"|(?<![0-9A-Za-z.])(?P<time>{'|'.join(_TIMES)})"
    rf"|(?P<amount>(?<=[=:]) ?\d{{1,9}}(?:\.\d{{1,9}})?(?:ms|µs|us|ns|s)?(?![\w.:/-]))"
    rf"|(?P<ago>{AGO})"
    rf"|(?P<took>{TOOK})"
    rf"|(?P<up>{UP})"
    r"|(?<![0-9A-Za-z.])(?P<num>\d{10}(?:\.\d{1,9})?|\d{13}|\d{16,19})(?![0-9A-Za-z])",
)
_TOKENS = re.compile(r"[A-Za-z0-9_-]{6,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{14,}={0,2}|[A-Za-z0-9_-]{14,}={1,2}")
_WORDY = frozenset("+/=")


class Piece(NamedTuple):
    """A piece of a text that may be noise; `lead` is what is said before it."""

    kind: str
    text: str
    lead: str


def explain_text(a: str, b: str, name: Name, scene: Scene, depth: int = 0) -> list[Mark] | None:
    """Why two unlike texts say the same: the marks of their unlike pieces; None where they do not."""
    if len(a) < _MIN_LENGTH and len(b) < _MIN_LENGTH:
        return None
    if max(len(a), len(b)) > _LONG:
        a, b = _unlike_part(a, b)
        if max(len(a), len(b)) > MAX_TEXT:
            return None
    if _QUERY.fullmatch(a) and _QUERY.fullmatch(b):
        return _explain_link(a, b, name, scene, depth)
    if "%" in a and "%" in b:
        if _quoted_alike(a, b):
            return [Mark("notation")]
        a, b = unquote(a), unquote(b)
    if _hold_content(a, b):
        return None
    return (
        _explain_whole(a, b, name, scene, depth)
        or _explain_parts(a, b, name, scene)
        or _explain_words(a, b, name, scene, depth)
    )


_EMBEDDED = re.compile(r";base64,([A-Za-z0-9+/_-]+)")


def _hold_content(a: str, b: str) -> bool:
    """Whether texts are or embed (`data:`) other files in base64, which are no tokens."""
    if ";base64," in a and _EMBEDDED.findall(a) != _EMBEDDED.findall(b):
        return True
    return bool(_BASE64.fullmatch(a) and _BASE64.fullmatch(b) and (holds_content(a) or holds_content(b)))


_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


def _quoted_alike(a: str, b: str) -> bool:
    """Whether two texts differ only in how they write percent escapes (RFC 3986, 6.2.2)."""
    return _ESCAPE.sub(_level_escape, a) == _ESCAPE.sub(_level_escape, b)


def _level_escape(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if _UNRESERVED.match(character) else found[0].upper()


def _explain_parts(a: str, b: str, name: Name, scene: Scene) -> list[Mark] | None:
    first, tail_a = _cut(a, scene)
    second, tail_b = _cut(b, scene)
    if tail_a == tail_b and len(first) == len(second):
        marks = _explain_pieces(first, second, tail_a, name, scene)
        if marks is not None:
            return marks
    if _TOKENS.fullmatch(a) and _TOKENS.fullmatch(b) and (mark := _explain_chunks(a, b, name, scene)):
        return [mark]
    if _label(a) != _label(b):
        return None
    if (name.secret or names.is_fresh(name.words)) and not (JWT.search(a) or JWT.search(b)):
        mark = explain_token(a, b, name, scene) or explain_exchange(a, b, name)
        return None if mark is None else [mark]
    return None


def _label(text: str) -> str:
    """What a text calls its value: `sha256=`; the end of a base64 text calls nothing."""
    found = _LABEL.match(text.rstrip("="))
    return found[0] if found and found[0].endswith("=") else ""


_BETWEEN = re.compile(r"([\s\"'<>,;(){}\[\]]+)")
_STOPS = frozenset(".!?:")
_LABEL = re.compile(r"[A-Za-z][\w-]{0,39}[=:]")


def _explain_words(a: str, b: str, name: Name, scene: Scene, depth: int) -> list[Mark] | None:
    """Two texts word by word: what no piece is found in may be a token as a whole word."""
    first, second = _BETWEEN.split(a), _BETWEEN.split(b)
    if len(first) == 1 or len(first) != len(second):
        return None
    marks: list[Mark] = []
    at = 0
    for x, y in zip(first, second, strict=True):
        if x != y:
            label = _LABEL.match(x)
            skip = label.end() if label and y.startswith(label[0]) else 0
            end = -1 if x[-1:] == y[-1:] and x[-1:] in _STOPS else None
            local = _local_name(a[max(0, at + skip - 60) : at + skip], "", name)
            inner = x[skip:end], y[skip:end]
            found = _explain_whole(*inner, local, scene, depth) or _explain_parts(*inner, local, scene)
            if not found:
                return None
            marks += found
        at += len(x)
    return marks


_QUERY = re.compile(r"[^\s?\"'<>]*\?[\w.~%+-]+=[^\s\"'<>]*")


def _explain_link(a: str, b: str, name: Name, scene: Scene, depth: int) -> list[Mark] | None:
    """Two links with queries: what comes before, then each key's value by itself."""
    first, second = a.partition("?"), b.partition("?")
    pairs = [[part.partition("=")[::2] for part in side[2].split("&")] for side in (first, second)]
    if [key for key, _ in pairs[0]] != [key for key, _ in pairs[1]]:
        return None
    marks: list[Mark] = []
    if first[0] != second[0]:
        before = explain_text(first[0], second[0], name, scene, depth)
        if not before:
            return None
        marks += before
    for (key, x), (_, y) in zip(*pairs, strict=True):
        if x != y:
            found = _explain_parameter(first[0], key, unquote_plus(x), unquote_plus(y), name, scene, depth)
            if not found:
                return None
            marks += found
    return marks


def _explain_parameter(
    path: str, key: str, x: str, y: str, name: Name, scene: Scene, depth: int
) -> list[Mark] | None:
    if x == y:
        return [Mark("notation")]
    if key.lower().strip("_") in _RANDOM_KEYS and _are_stamp_like(x, y):
        return [Mark("cache_buster")]
    found = explain_text(x, y, name._replace(words=names.words(key)), scene, depth + 1)
    if (
        not found
        and _ASSET.search(path + "?")
        and key.lower().strip("_") in _BUSTERS
        and _are_stamp_like(x, y)
    ):
        return [Mark("cache_buster")]
    return found


def _are_stamp_like(x: str, y: str) -> bool:
    return all(len(text) >= _MIN_LENGTH and text.isalnum() and not text.isalpha() for text in (x, y))


def _unlike_part(a: str, b: str) -> tuple[str, str]:
    """Both texts from a little before their first unlike character to a little after their last."""
    start = max(0, common_length(a, b) - _AROUND)
    end = common_length(a[start:][::-1], b[start:][::-1])
    keep = max(0, end - _AROUND)
    return a[start : len(a) - keep], b[start : len(b) - keep]


def common_length(a: str, b: str) -> int:
    """How many characters two texts begin with alike."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _explain_whole(a: str, b: str, name: Name, scene: Scene, depth: int) -> list[Mark] | None:
    """Two values that are base64 as a whole: what they hold is compared where it is text."""
    if not (_BASE64.fullmatch(a) and _BASE64.fullmatch(b)):
        return None
    held = decode_text(a), decode_text(b)
    if held[0] is not None and held[1] is not None:
        if depth >= _DECODED_DEPTH or held[0] == held[1]:
            return None
        return explain_text(held[0], held[1], name, scene, depth + 1)
    if _WORDY.isdisjoint(a) and _WORDY.isdisjoint(b):
        return None
    if not (looks_random(a) and looks_random(b)):
        return None
    mark = explain_token(a, b, name, scene) if len(a) <= 1024 or names.is_fresh(name.words) else None
    return None if mark is None else [mark]


def stamps(text: str) -> tuple[Moment, ...]:
    """Every moment that is written in a text (its first kilobytes)."""
    found = (match for match in _STRONG.finditer(text[:4096]) if match.lastgroup in ("time", "num"))
    return tuple(m for f in found for m in (moments.read(f[0]) if f.lastgroup == "time" else read_unix(f[0])))


def _cut(text: str, scene: Scene) -> tuple[list[Piece], str]:
    """The pieces of a text, and what is said after the last."""
    spans: list[tuple[int, int, str]] = []
    at = 0
    if scene.links is not None:
        for found in scene.links.finditer(text):
            _find(text, at, found.start(), spans)
            spans.append((found.start(), found.end(), "host"))
            at = found.end()
    _find(text, at, len(text), spans)
    pieces = []
    at = 0
    for start, end, kind in spans:
        pieces.append(Piece(kind, text[start:end], text[at:start]))
        at = end
    return pieces, text[at:]


def _find(text: str, start: int, end: int, spans: list[tuple[int, int, str]]) -> None:
    at = start
    for found in _STRONG.finditer(text, start, end):
        _find_tokens(text, at, found.start(), spans)
        spans.append((found.start(), found.end(), found.lastgroup or ""))
        at = found.end()
    _find_tokens(text, at, end, spans)


def _find_tokens(text: str, start: int, end: int, spans: list[tuple[int, int, str]]) -> None:
    if end - start >= 6:
        spans.extend((found.start(), found.end(), "token") for found in _TOKENS.finditer(text, start, end))


def _explain_pieces(
    first: list[Piece], second: list[Piece], tail: str, name: Name, scene: Scene
) -> list[Mark] | None:
    marks = []
    said = ""
    for at, (a, b) in enumerate(zip(first, second, strict=True)):
        if a.lead != b.lead:
            return None
        said = (said + a.lead)[-60:]
        if a.text != b.text:
            after = _following(first, at + 1, tail)
            local = _local_name(said, after, name)
            mark = _explain_piece(a, b, local, scene, said)
            if mark is None:
                return None
            marks.append(mark)
        said = (said + a.text)[-60:]
    return marks


def _following(pieces: list[Piece], at: int, tail: str) -> str:
    """The text after a piece, as far as it tells what the piece is."""
    near = pieces[at : at + 4]
    return "".join(piece.lead + piece.text for piece in near) + (tail if len(near) < 4 else "")


def _explain_piece(a: Piece, b: Piece, name: Name, scene: Scene, said: str) -> Mark | None:
    kinds = {a.kind, b.kind}
    digits = a.text.isdigit() and b.text.isdigit()
    if kinds <= {"num", "token"} or (kinds == {"num", "time"} and digits):
        return _explain_token(a.text, b.text, name, scene, said)
    if a.kind != b.kind:
        return None
    if a.kind == "host":
        return explain_host(a.text.lower(), b.text.lower(), scene)
    if a.kind == "uuid":
        return explain_uuid(a.text, b.text, name, scene)
    if a.kind == "time":
        mark = _explain_time(a.text, b.text, name, scene)
        return mark or (_explain_token(a.text, b.text, name, scene, said) if digits else None)
    if a.kind == "jwt":
        return explain_jwt(a.text, b.text, scene, explain_text)
    if a.kind == "amount":
        return _explain_amount(a.text.strip(), b.text.strip(), name, scene)
    if a.kind == "ago":
        return explain_ago(a.text, b.text, scene)
    if a.kind == "up":
        return explain_up(a.text, b.text)
    return explain_took(a.text, b.text, scene, said)


def _explain_amount(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    if a[-1].isalpha() or b[-1].isalpha():
        return explain_measured_text(a, b, name, scene)
    return explain_amount(float(a), float(b), name, scene)


def _explain_time(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    if not moments.same_shape(a, b):
        return None
    return _explain_moments(moments.read(a), moments.read(b), name, scene)


def _explain_moments(
    first: Sequence[Moment], second: Sequence[Moment], name: Name, scene: Scene
) -> Mark | None:
    past = not names.BEGINS.isdisjoint(name.words)
    if pair := moments.followed(first, second, scene.nows, past=past):
        return Mark("timestamp", at=(pair[0].at, pair[1].at, pair[0].step))
    if pair := moments.followed(first, second, scene.nows, past=True):
        return Mark("timestamp", at=(pair[0].at, pair[1].at, pair[0].step), window=True)
    return None


def explain_number(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two decimal numbers as times or as ids that carry theirs."""
    first, second = read_unix(a), read_unix(b)
    mark = _explain_moments(first, second, name, scene) if moments.same_digits(a, b) else None
    if mark is not None and not mark.window:
        return mark
    return (explain_digits(a, b, name, scene) if a.isdigit() and b.isdigit() else None) or mark


_ASSET = re.compile(r"\.(?:css|m?js|ico|woff2?|ttf|map)\?[^\"'\s?]*$", re.IGNORECASE)
_BUSTERS = {"", "v", "ver", "version", "cb", "t", "ts", "rev", "r", "h", "hash", "build", "bust", "cache"}
_RANDOM_KEYS = {"cb", "cachebuster", "cache_buster", "cachebust", "nocache", "rnd", "rand", "random", "ord"}
_BUST_KEY = re.compile(r"[?&;]([\w-]*)=?$")


def _explain_token(a: str, b: str, name: Name, scene: Scene, said: str) -> Mark | None:
    if a.replace(".", "").isdigit() and b.replace(".", "").isdigit():
        mark = explain_number(a, b, name, scene)
    else:
        mark = explain_token(a, b, name, scene) or _explain_chunks(a, b, name, scene)
    mark = mark or explain_exchange(a, b, name)
    if mark is None and _ASSET.search(said) and (key := _BUST_KEY.search(said)):
        return Mark("cache_buster") if key[1].lower().strip("_") in _BUSTERS else None
    return mark


_POD = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]{5}|[a-f0-9]{8,10}")
"""The random ends of names that an orchestrator gives its machines."""

_REPLICA = re.compile(r"([a-z][a-z0-9-]*-)[4-9bcdf]{7,10}-[bcdfghjklmnpqrstvwxz2456789]{5}")
"""Kubernetes' names of a deployment's pods: both ends are of alphabets that make no words."""


def _explain_chunks(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two tokens of several parts (`web-7d9f-1763892000`), where each part is the same or fresh itself."""
    if (pod := _REPLICA.fullmatch(a)) and (other := _REPLICA.fullmatch(b)) and pod[1] == other[1]:
        return Mark("host")
    chunks = [re.split(r"([-_])", text) for text in (a, b)]
    if len(chunks[0]) != len(chunks[1]) or not _LEAST_CHUNKS <= len(chunks[0]) <= _MOST_CHUNKS:
        return None
    pairs = list(zip(*chunks, strict=True))
    stamped = any(_is_now(x, y, scene) for x, y in pairs)
    mark = None
    for x, y in pairs:
        if x == y:
            continue
        mark = _explain_chunk(x, y, name, scene)
        if mark is None and stamped and _SUFFIX.fullmatch(x) and _SUFFIX.fullmatch(y) and len(x) == len(y):
            mark = Mark("id", a, b) if likeness(x, y) <= _ALIKE else None
        if mark is None:
            return None
    return mark


_LEAST_CHUNKS = 3
_MOST_CHUNKS = 33
_ALIKE = 0.45
_SUFFIX = re.compile(r"(?=\d*[A-Za-z])(?=[A-Za-z]*\d)[0-9A-Za-z]{6,}")
"""What follows a time of now in an id that was made with it."""


def _is_now(x: str, y: str, scene: Scene) -> bool:
    marks = _explain_chunk(x, y, Name(), scene) if x[:1].isdigit() and y[:1].isdigit() else None
    return marks is not None and marks.why == "timestamp" and not marks.window


def _explain_chunk(x: str, y: str, name: Name, scene: Scene) -> Mark | None:
    digits = x.isdigit() and y.isdigit()
    mark = explain_number(x, y, name, scene) if digits else explain_token(x, y, name, scene)
    if mark is None and names.is_machine(name.words) and _POD.fullmatch(x) and _POD.fullmatch(y):
        mark = Mark("host")
    return mark or (_explain_time(x, y, name, scene) if moments.read(x) and moments.read(y) else None)


_KEY = re.compile(
    r"((?:\b[A-Za-z]{2,20}[.!]? (?=(?:id|ID|Id|ref|[Rr]eference|number|no)\W))?[A-Za-z_][\w-]{0,39})"
    r"[\"']?\s*(?:[:=]|=>)\s*[\"'\[({<]{0,2}$"
)
_SEGMENT = re.compile(r"/([A-Za-z][\w-]{0,39})/$")


_BUILT = re.compile(r"\.(?:min\.)?(?:css|m?js|map|woff2?)\b")
_BUILDS = re.compile(r"(?:/[\w.~-]{1,80}){1,8}\.(?:m?js|css|map|woff2?)(?![\w.])")
"""What follows the name of a build in the path of a file that was built."""

_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}\b(?!\.)")


def _local_name(said: str, after: str, outer: Name) -> Name:
    """What the words around a piece call it; the place's own name where nothing is said before it."""
    if _BUILT.match(after):
        return outer._replace(words=("hash",))
    if said.endswith("/") and _BUILDS.match(after):
        return outer._replace(words=("build", "id"))
    if _FILE.match(after) and said.endswith("/"):
        return outer._replace(words=("file", "id"))
    if not any(c.isalpha() for c in said) or said.endswith(("urn:uuid:", "urn:")):
        return outer
    if found := _KEY.search(said):
        key = names.words(found[1])
        signed = names.is_signature(outer.words) and names.is_scheme(key)
        return outer if signed else outer._replace(words=key)
    if found := _SEGMENT.search(said):
        thing = names.words(found[1])
        singular = tuple(word.removesuffix("s") for word in thing)
        return outer._replace(words=(*singular, "id") if not names.is_fresh(singular) else singular)
    kept = outer.words if names.is_content(outer.words) else ()
    return outer._replace(words=(*kept, *names.words(said[-24:])[-3:]))
