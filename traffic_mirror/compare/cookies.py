"""Set-Cookie: cookies by name, their attributes one by one, and session values as the noise they are."""

from __future__ import annotations

from traffic_mirror.compare import names
from traffic_mirror.compare.findings import Findings
from traffic_mirror.compare.ids import Mark, Name, looks_random
from traffic_mirror.compare.jwt import JWT
from traffic_mirror.compare.scene import Scene, read_date
from traffic_mirror.compare.values import explain

PLACE = "header:Set-Cookie"
_BALANCERS = (
    "awsalb",
    "awselb",
    "__cf_bm",
    "cf_clearance",
    "_cfuvid",
    "bigipserver",
    "incap_ses",
    "visid_incap",
    "arraffinity",
    "gclb",
    "route",
    "serverid",
)
_MIN_OPAQUE = 16
_LEAST_AGE = 20

Cookie = tuple[str, dict[str, str]]


def compare_cookies(primary: list[str], copy: list[str], scene: Scene, findings: Findings) -> None:
    """Compares the Set-Cookie values of both sides; reported values never show a cookie's own."""
    first, second = _read(primary), _read(copy)
    for name in dict.fromkeys((*first, *second)):
        a, b = first.get(name), second.get(name)
        if a is None or b is None:
            _one_sided(name, a, b, findings)
        else:
            _compare_value(name, a, b, scene, findings)
            _compare_attributes(name, a, b, scene, findings)


def _read(values: list[str]) -> dict[str, Cookie]:
    return dict(map(_read_one, values))


def _read_one(text: str) -> tuple[str, Cookie]:
    first, *rest = text.split(";")
    name, _, value = first.strip().partition("=")
    attributes = {}
    for part in rest:
        key, _, said = part.strip().partition("=")
        if key:
            attributes[key.lower()] = said.strip()
    return name, (value.strip('"'), attributes)


def _one_sided(name: str, a: Cookie | None, b: Cookie | None, findings: Findings) -> None:
    if name.lower().startswith(_BALANCERS):
        findings.set_aside(PLACE, "infrastructure")
    elif a is not None:
        findings.differ(PLACE, "removed", _shown(name, a), None)
    elif b is not None:
        findings.differ(PLACE, "added", None, _shown(name, b))


def _compare_value(name: str, a: Cookie, b: Cookie, scene: Scene, findings: Findings) -> None:
    if a[0] == b[0]:
        return
    if name.lower().startswith(_BALANCERS):
        findings.set_aside(PLACE, "infrastructure")
        return
    shown = f"{name}=… (one value)", f"{name}=… (another value)"
    words = names.words(name)
    readable = _are_readable(a[0], b[0])
    if not readable and min(len(a[0]), len(b[0])) >= _MIN_OPAQUE and _are_opaque(a[0], b[0]):
        findings.excuse(PLACE, *shown, [Mark("session")])
    elif marks := explain(a[0], b[0], Name(words) if readable else _sealed(words), scene):
        findings.excuse(PLACE, *shown, [mark._replace(why="session") for mark in marks])
    else:
        findings.differ(PLACE, "value", *shown)


def _sealed(words: tuple[str, ...]) -> Name:
    return Name((*words, "session"), secret=True)


def _are_readable(a: str, b: str) -> bool:
    """Whether the values say something to whoever reads them: the number of a user, the claims of a token."""
    return (a.isdigit() and b.isdigit()) or bool(JWT.fullmatch(a) and JWT.fullmatch(b))


def _are_opaque(a: str, b: str) -> bool:
    """Sealed values (encrypted, signed) say nothing to their client, and differ in length too."""
    return all(looks_random(max(text.replace("%", ".").split("."), key=len)) for text in (a, b))


def _compare_attributes(name: str, a: Cookie, b: Cookie, scene: Scene, findings: Findings) -> None:
    for key in dict.fromkeys((*a[1], *b[1])):
        x, y = a[1].get(key), b[1].get(key)
        if x == y or (
            x is not None and y is not None and key in ("samesite", "path") and x.lower() == y.lower()
        ):
            continue
        if x is None or y is None:
            said = f"{name}: {key}"
            findings.differ(
                PLACE, "added" if x is None else "removed", x if x is None else said, y if y is None else said
            )
            continue
        shown = f"{name}: {key}={x}", f"{name}: {key}={y}"
        marks = _explain_attribute(key, x, y, scene)
        if marks:
            findings.excuse(PLACE, *shown, marks)
        else:
            findings.differ(PLACE, "value", *shown)


def _explain_attribute(key: str, x: str, y: str, scene: Scene) -> list[Mark] | None:
    if (
        key == "domain"
        and x.lstrip(".").lower() in scene.hosts[0]
        and y.lstrip(".").lower() in scene.hosts[1]
    ):
        return [Mark("host")]
    if key == "expires":
        return _both_over(x, y, scene) or explain(x, y, Name(("expires",)), scene)
    if key == "max-age" and x.isdigit() and y.isdigit() and min(int(x), int(y)) >= _LEAST_AGE:
        return [Mark("countdown")] if abs(int(x) - int(y)) <= 2 + scene.lag else None
    return None


def _both_over(x: str, y: str, scene: Scene) -> list[Mark] | None:
    """Cookies that are taken back: both dates are past."""
    ends = [read_date(text.replace("-", " ").encode()) for text in (x, y)]
    past = all(0 < end < now.began for nows in scene.nows[:1] for end, now in zip(ends, nows, strict=True))
    return [Mark("timestamp")] if scene.nows and past else None


def _shown(name: str, cookie: Cookie) -> str:
    attributes = "".join(f"; {key}={said}" if said else f"; {key}" for key, said in cookie[1].items())
    return f"{name}=…{attributes}"
