"""Response headers side by side: those that matter, by name, each in the way its value is meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from traffic_mirror.compare import names
from traffic_mirror.compare.bodies import split_type
from traffic_mirror.compare.cookies import compare_cookies
from traffic_mirror.compare.findings import Findings
from traffic_mirror.compare.header_table import DERIVED, DIRECTIVES, LISTS, spell, why_aside
from traffic_mirror.compare.ids import Mark, Name, looks_random, unlike_kinds
from traffic_mirror.compare.model import Answer
from traffic_mirror.compare.places import header_matches
from traffic_mirror.compare.policy import Policy, PolicyUse, is_within
from traffic_mirror.compare.scene import Scene, read_date
from traffic_mirror.compare.values import explain
from traffic_mirror.copies.request import Fields

_QUOTED = re.compile(r'(?:W/)?"([^"]*)"')
_OPAQUE = re.compile(r"[0-9A-Za-z+/_-]{16,}=*")
_NGINX = re.compile(r"([0-9a-f]{8})-[0-9a-f]+")


class Seen:
    """What is known of the bodies when headers are compared: whether they were, and whether they were the
    same bytes."""

    __slots__ = ("compared", "identical")

    def __init__(self, *, compared: bool, identical: bool) -> None:
        self.compared = compared
        self.identical = identical


def compare_headers(
    primary: Answer,
    copy: Answer,
    policy: Policy,
    scene: Scene,
    findings: Findings,
    seen: Seen,
    use: PolicyUse | None,
) -> None:
    """Compares the headers that matter; what is left out is listed as set aside where it differs."""
    if primary.headers == copy.headers:
        return
    first, second = gather(primary.headers), gather(copy.headers)
    coded = first.get("content-encoding") != second.get("content-encoding")
    for name in dict.fromkeys((*first, *second)):
        a, b = first.get(name, []), second.get(name, [])
        if a == b or _is_ignored(name, policy, findings, use):
            continue
        why = why_aside(name)
        if why is not None:
            findings.set_aside("header:" + spell(name), why)
        elif (known := _why_alike(name, a, b, policy, use)) is not None:
            findings.set_aside("header:" + spell(name), known)
        elif name == "set-cookie":
            compare_cookies(a, b, scene, findings)
        else:
            _compare(name, a, b, _Sides(first, second, scene, seen, coded=coded), findings)


def gather(fields: Fields) -> dict[str, list[str]]:
    """The values of each header by its name in lower case."""
    gathered: dict[str, list[str]] = {}
    for name, value in fields:
        gathered.setdefault(name.decode("latin-1").lower(), []).append(
            value.decode("utf-8", "replace").strip()
        )
    return gathered


class _Sides:
    """Both sides' headers and circumstances, for those headers whose meaning hangs on others."""

    def __init__(
        self,
        first: dict[str, list[str]],
        second: dict[str, list[str]],
        scene: Scene,
        seen: Seen,
        *,
        coded: bool,
    ) -> None:
        self.first = first
        self.second = second
        self.scene = scene
        self.seen = seen
        self.coded = coded


def _is_ignored(name: str, policy: Policy, findings: Findings, use: PolicyUse | None) -> bool:
    for expression in policy.ignore:
        if header_matches(expression, name):
            if use is not None:
                use.mark(expression)
            findings.set_aside("header:" + spell(name), "ignore")
            return True
    if not policy.only:
        return False
    meant = [e for e in policy.only if header_matches(e, name)]
    if use is not None and meant:
        use.mark(meant[0])
    if not meant:
        findings.set_aside("header:" + spell(name), "only")
    return not meant


def _why_alike(name: str, a: list[str], b: list[str], policy: Policy, use: PolicyUse | None) -> str | None:
    """Why the policy takes a header's values on both sides for the same, if it does."""
    for expression, bound in policy.tolerance:
        if header_matches(expression, name):
            if use is not None:
                use.mark(expression)
            if a and b and is_within(", ".join(a), ", ".join(b), bound):
                return "tolerance"
            break
    alike = [policy.level(x, "primary") for x in a] == [policy.level(y, "copy") for y in b]
    return "equivalent" if alike else None


def _compare(name: str, a: list[str], b: list[str], sides: _Sides, findings: Findings) -> None:
    place = "header:" + spell(name)
    if name in DERIVED or name == "content-length":
        _compare_derived(name, place, a, b, sides, findings)
    elif not a or not b:
        bare_vary = name == "vary" and _tokens(a or b) == {"accept-encoding"}
        if sides.coded and (bare_vary or (name == "etag" and sides.seen.compared)):
            findings.set_aside(place, "coding")
        else:
            findings.differ(
                place, "added" if not a else "removed", ", ".join(a) or None, ", ".join(b) or None
            )
    else:
        _compare_values(name, place, a, b, sides, findings)


def _compare_derived(
    name: str, place: str, a: list[str], b: list[str], sides: _Sides, findings: Findings
) -> None:
    """What follows from the body: it says something of its own only where the bodies cannot."""
    told_apart = name in DERIVED and sides.seen.identical and a and b
    one_sided = not a or not b
    if (sides.seen.compared and not told_apart) or (one_sided and name == "content-length"):
        findings.set_aside(place, "derived")
    elif one_sided:
        findings.differ(place, "added" if not a else "removed", ", ".join(a) or None, ", ".join(b) or None)
    else:
        findings.differ(place, "value", ", ".join(a), ", ".join(b))


def _compare_values(
    name: str, place: str, a: list[str], b: list[str], sides: _Sides, findings: Findings
) -> None:
    x, y = ", ".join(a), ", ".join(b)
    if (level := _LEVELS.get(name)) is not None and level(x, sides) == level(y, sides):
        findings.set_aside(place, "notation")
        return
    marks = explain_header(name, x, y, sides.scene)
    if name == "etag":
        marks = _explain_etag(x, y, sides)
    if not marks and _follows_body(name, x, y, sides):
        findings.set_aside(place, "derived")
    elif not marks:
        findings.differ(place, "value", x, y)
    else:
        findings.excuse(place, x, y, marks)


def _follows_body(name: str, x: str, y: str, sides: _Sides) -> bool:
    """Whether two signatures are made alike, of bodies whose differences are found in themselves."""
    if not sides.seen.compared or sides.seen.identical or not names.is_signature(names.words(name)):
        return False
    pairs = list(zip(_OPAQUE.findall(x), _OPAQUE.findall(y), strict=False))
    return _OPAQUE.sub("…", x) == _OPAQUE.sub("…", y) and all(
        looks_random(a) and looks_random(b) and len(a) == len(b) and not unlike_kinds(a, b) for a, b in pairs
    )


def explain_header(name: str, x: str, y: str, scene: Scene) -> list[Mark] | None:
    """Why two unlike header values are the same but for noise."""
    if name in ("expires", "last-modified"):
        return _explain_date(name, x, y, scene)
    if name in DIRECTIVES:
        return _explain_directives(x, y, scene)
    if name == "retry-after" and x.isdigit() and y.isdigit():
        return [Mark("countdown")] if min(int(x), int(y)) > 20 and abs(int(x) - int(y)) <= 2 else None
    return explain(x, y, Name(_header_words(name, x, y)), scene)


def _header_words(name: str, x: str, y: str) -> tuple[str, ...]:
    """An id in a header is of the exchange (`Audit-Id`), unless it is of someone (`X-Tenant-Id`) or a
    number."""
    words = names.words(name)
    if not names.names_a_thing(words) or names.is_party(words):
        return words
    return words[:-1] if x.isdigit() or y.isdigit() else ("request", "id")


def _explain_date(name: str, x: str, y: str, scene: Scene) -> list[Mark] | None:
    """`Expires` may lie at any distance from now, as long as it is the same on both sides."""
    marks = explain(x, y, Name((name,)), scene)
    if marks is not None or name != "expires" or not scene.nows:
        return marks
    away = [read_date(text.encode()) for text in (x, y)]
    now_a, now_b = scene.nows[-1]
    moved = abs((away[0] - now_a.began) - (away[1] - now_b.began)) <= 2 + sum(scene.took)
    return [Mark("timestamp")] if all(away) and away[0] > now_a.began and moved else None


def _explain_directives(x: str, y: str, scene: Scene) -> list[Mark] | None:
    first, second = _directives(x), _directives(y)
    if first.keys() != second.keys():
        return None
    marks: list[Mark] = []
    for name, said in first.items():
        left, right = said - second[name], second[name] - said
        nonces = [{source for source in side if source.startswith("'nonce-")} for side in (left, right)]
        if len(nonces[0]) != len(nonces[1]):
            return None
        rest = " ".join(sorted(left - nonces[0])), " ".join(sorted(right - nonces[1]))
        found = explain(rest[0], rest[1], Name(), scene) if rest[0] != rest[1] else []
        if found is None:
            return None
        marks += found + [Mark("nonce")] * bool(nonces[0])
    return marks


def _directives(text: str) -> dict[str, frozenset[str]]:
    parts = (part.strip().split() for part in text.split(";"))
    return {part[0].lower(): frozenset(part[1:]) for part in parts if part}


def _explain_etag(x: str, y: str, sides: _Sides) -> list[Mark] | None:
    """An opaque tag stands for its body, which is compared itself; a tag that counts versions speaks for
    itself."""
    first, second = _QUOTED.fullmatch(x), _QUOTED.fullmatch(y)
    if first is None or second is None or ((x[0] == "W") != (y[0] == "W") and not sides.coded):
        return None
    if not sides.seen.compared:
        return explain(first[1], second[1], Name(("token",)), sides.scene) if first[1] != second[1] else []
    opaque = all(
        len(tag) >= 8 and (looks_random(tag) or _is_hexadecimal(tag)) for tag in (first[1], second[1])
    )
    changed_bytes = not sides.seen.identical and all(_MADE.fullmatch(tag) for tag in (first[1], second[1]))
    if opaque or changed_bytes or sides.coded or _follow_last_modified(first[1], second[1], sides):
        return [Mark("etag")]
    return explain(first[1], second[1], Name(("token",)), sides.scene)


_MADE = re.compile(r"[0-9a-fA-F]+-[0-9a-zA-Z+/=_-]{6,}|[0-9a-fA-F-]{10,}|[0-9]{10,}(?:\.[0-9]+)*(?:-[0-9]+)*")


def _is_hexadecimal(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8,}", text) is not None and not text.isdigit()


def _follow_last_modified(a: str, b: str, sides: _Sides) -> bool:
    """Tags that are their file's time and size, as nginx makes them; that time is compared where it is
    written."""
    for tag, headers in ((a, sides.first), (b, sides.second)):
        found = _NGINX.fullmatch(tag)
        dates = headers.get("last-modified")
        if found is None or not dates or int(found[1], 16) != read_date(dates[0].encode()):
            return False
    return True


def _tokens(values: Sequence[str]) -> set[str]:
    return {token.strip().lower() for value in values for token in value.split(",") if token.strip()}


def _level_list(text: str, sides: _Sides) -> object:
    tokens = _tokens([text])
    return tokens - {"accept-encoding"} if sides.coded else tokens


def _level_type(text: str, sides: _Sides) -> object:
    del sides
    media, parameters = split_type(text)
    if media.startswith("multipart/"):
        parameters.pop("boundary", None)
    return media, sorted(
        (name, said.lower() if name == "charset" else said) for name, said in parameters.items()
    )


def _level_directives(text: str, sides: _Sides) -> object:
    del sides
    return _directives(text)


def _level_limits(text: str, sides: _Sides) -> object:
    """Without what is left of a limit, and until when."""
    del sides
    return re.sub(r"\b(remaining|reset|r|t)=\d+", r"\1", text)


_LEVELS: dict[str, Callable[[str, _Sides], object]] = {
    **dict.fromkeys(LISTS, _level_list),
    **dict.fromkeys(DIRECTIVES, _level_directives),
    "content-type": _level_type,
    "ratelimit": _level_limits,
}
