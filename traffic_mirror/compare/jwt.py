"""Signed tokens (JWT, RFC 7519): their claims are compared, only what each signing makes anew is set
aside."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable

from traffic_mirror.compare import names
from traffic_mirror.compare.ids import Mark, Name, explain_token
from traffic_mirror.compare.moments import Moment, moved
from traffic_mirror.compare.scene import Scene

JWT = re.compile(r"(?<![\w-])eyJ[\w-]{6,4096}\.[\w-]{4,8192}\.[\w-]{0,2048}")
_MADE = ("iat", "nbf", "auth_time")
_ANEW = frozenset(["jti", "nonce", "sid", "at_hash", "c_hash", "s_hash", "sub_jti", "session_state"])
_SECOND = 1

Explain = Callable[[str, str, Name, Scene], list[Mark] | None]


def explain_jwt(a: str, b: str, scene: Scene, explain: Explain) -> Mark | None:
    """Two tokens whose claims say the same but for their times, their sides' names and ids of this signing;
    `explain` tells why two texts are the same."""
    first, second = _claims(a), _claims(b)
    if first is None or second is None or first[0] != second[0] or first[1].keys() != second[1].keys():
        return None
    if not _same_lifetime(first[1], second[1]):
        return None
    for claim, x in first[1].items():
        y = second[1][claim]
        if (x != y or type(x) is not type(y)) and not _moved_claim(claim, x, y, scene, explain):
            return None
    return Mark("token", a, b)


def _claims(token: str) -> tuple[object, dict[str, object]] | None:
    try:
        head, body = (
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            for part in token.split(".")[:2]
        )
    except (binascii.Error, ValueError, RecursionError):
        return None
    return (head, body) if isinstance(body, dict) else None


def _same_lifetime(first: dict[str, object], second: dict[str, object]) -> bool:
    for begin in _MADE:
        spans = [
            exp - iat
            for exp, iat in ((c.get("exp"), c.get(begin)) for c in (first, second))
            if isinstance(exp, int | float) and isinstance(iat, int | float)
        ]
        if len(spans) > 1 and abs(spans[0] - spans[1]) > _SECOND:
            return False
    return True


def _moved_claim(claim: str, x: object, y: object, scene: Scene, explain: Explain) -> bool:
    if isinstance(x, bool) or isinstance(y, bool):
        return False
    if isinstance(x, int | float) and isinstance(y, int | float) and claim in (*_MADE, "exp"):
        stamps = [(Moment(float(at), 1.0, True),) for at in (x, y)]
        return moved(stamps[0], stamps[1], scene.nows, past=True)
    if not isinstance(x, str) or not isinstance(y, str):
        return False
    if claim in _ANEW:
        return explain_token(x, y, Name(names.words(claim), secret=True), scene) is not None
    marks = explain(x, y, Name(names.words(claim)), scene)
    return bool(marks) and all(mark.why in ("host", "timestamp") and not mark.window for mark in marks or ())
