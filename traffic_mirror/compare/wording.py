"""Texts: cut into what is said and the pieces that may be noise, then compared piece by piece.

What is said must be the same on both sides. A stamp, an id, a host name, a duration or a "3 minutes ago" may
differ, and only that piece is set aside.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from traffic_mirror.compare import names
from traffic_mirror.compare.amounts import explain_amount, explain_measured_text
from traffic_mirror.compare.exchanges import explain_exchange
from traffic_mirror.compare.hosts import explain_host
from traffic_mirror.compare.ids import (
    Mark,
    Name,
    decode_text,
    explain_token,
    explain_uuid,
    holds_content,
    looks_random,
)
from traffic_mirror.compare.jwt import JWT, explain_jwt
from traffic_mirror.compare.links import are_links, busts_cache, explain_link
from traffic_mirror.compare.local_names import local_name
from traffic_mirror.compare.phrases import explain_ago, explain_took, explain_up
from traffic_mirror.compare.pieces import Piece, cut_text, is_token
from traffic_mirror.compare.scene import Scene
from traffic_mirror.compare.tokens import explain_chunks, explain_number, explain_time

MAX_TEXT = 64 * 1024
"""Where unlike parts of single values are longer, they are content, and not searched for noise."""

_LONG = 16 * 1024
_AROUND = 4096

_MIN_LENGTH = 3
_DECODED_DEPTH = 2

_BASE64 = re.compile(r"[A-Za-z0-9+/]{14,}={0,2}|[A-Za-z0-9_-]{14,}={1,2}")
_WORDY = frozenset("+/=")


def explain_text(a: str, b: str, name: Name, scene: Scene, depth: int = 0) -> list[Mark] | None:
    """Why two unlike texts say the same: the marks of their unlike pieces; None where they do not."""
    if len(a) < _MIN_LENGTH and len(b) < _MIN_LENGTH:
        return None
    if max(len(a), len(b)) > _LONG:
        a, b = _unlike_part(a, b)
        if max(len(a), len(b)) > MAX_TEXT:
            return None
    if are_links(a, b):
        return explain_link(a, b, name, scene, depth, explain_text)
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
    first, tail_a = cut_text(a, scene)
    second, tail_b = cut_text(b, scene)
    if tail_a == tail_b and len(first) == len(second):
        marks = _explain_pieces(first, second, tail_a, name, scene)
        if marks is not None:
            return marks
    if is_token(a) and is_token(b) and (mark := explain_chunks(a, b, name, scene)):
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
            local = local_name(a[max(0, at + skip - 60) : at + skip], "", name)
            inner = x[skip:end], y[skip:end]
            found = _explain_whole(*inner, local, scene, depth) or _explain_parts(*inner, local, scene)
            if not found:
                return None
            marks += found
        at += len(x)
    return marks


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
            local = local_name(said, after, name)
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
        mark = explain_time(a.text, b.text, name, scene)
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


def _explain_token(a: str, b: str, name: Name, scene: Scene, said: str) -> Mark | None:
    if a.replace(".", "").isdigit() and b.replace(".", "").isdigit():
        mark = explain_number(a, b, name, scene)
    else:
        mark = explain_token(a, b, name, scene) or explain_chunks(a, b, name, scene)
    mark = mark or explain_exchange(a, b, name)
    return mark or (Mark("cache_buster") if busts_cache(said) else None)


def _explain_amount(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    if a[-1].isalpha() or b[-1].isalpha():
        return explain_measured_text(a, b, name, scene)
    return explain_amount(float(a), float(b), name, scene)
