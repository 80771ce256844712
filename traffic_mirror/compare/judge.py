"""The judge: two answers and a policy in, a verdict out."""

from __future__ import annotations

from contextlib import suppress

from traffic_mirror.compare.bodies import Body, describe_bytes, read_body
from traffic_mirror.compare.budget import Budget, OverBudgetError
from traffic_mirror.compare.decoding import TooLargeError, UndecodableError, decode_content
from traffic_mirror.compare.findings import MAX_LISTED, EnoughError, Findings, Learned
from traffic_mirror.compare.headers import Seen, compare_headers, gather
from traffic_mirror.compare.leveling import inside
from traffic_mirror.compare.model import Answer, Difference, SetAside, Verdict
from traffic_mirror.compare.places import Expression, Path, Tag, Whole
from traffic_mirror.compare.policy import Policy, PolicyUse
from traffic_mirror.compare.scene import set_scene
from traffic_mirror.compare.trees import Element
from traffic_mirror.compare.walk import Walk
from traffic_mirror.copies.request import FrozenRequest

_NOT_MODIFIED = 304
_WHOLE = 200
_VALIDATED = {
    _NOT_MODIFIED: frozenset({b"if-none-match", b"if-modified-since"}),
    206: frozenset({b"if-range"}),
}
_BODILESS = (204, 205, 304)
_MAX_LOOKED_AT = 5000


def judge(
    primary: Answer,
    copy: Answer,
    policy: Policy,
    *,
    request: FrozenRequest | None = None,
    learned: Learned | None = None,
    budget: Budget | None = None,
    use: PolicyUse | None = None,
) -> Verdict:
    """Whether the copy's answer says the same as the primary's.

    `request` is what both answered: an id that it holds is no noise, and what it only reads was there
    before. `learned` is what the route's baseline taught; `use` notes which expressions of the policy
    matched. Reasons for `incomparable`: `streamed`, `too_large`, `unavailable`, `not_modified`, `budget`.
    """
    try:
        return _judge(primary, copy, policy, request, learned, budget or Budget(), use)
    except (OverBudgetError, RecursionError):
        return Verdict(verdict="incomparable", reason="budget")


def _judge(
    primary: Answer,
    copy: Answer,
    policy: Policy,
    request: FrozenRequest | None,
    learned: Learned | None,
    budget: Budget,
    use: PolicyUse | None,
) -> Verdict:
    if request is not None and _turns_on_validators(primary.status, copy.status, request):
        return Verdict(verdict="incomparable", reason="not_modified")
    scene = set_scene(primary, copy, request)
    findings = Findings(scene, learned)
    _compare_status(primary, copy, policy, findings, use)
    reason, bodies = _read_bodies(primary, copy, policy, request)
    budget.look()
    if use is not None and use.wants_look():
        _look(primary, policy, bodies, use)
    identical = bodies is None or bodies[0] is bodies[1]
    compared = (bodies is not None and bodies[0].kind != "empty") or _may_lack_its_body(primary)
    compare_headers(primary, copy, policy, scene, findings, Seen(compared=compared, identical=identical), use)
    if bodies is not None and not identical:
        before = len(findings)
        walk = Walk(bodies[0].kind, policy, scene, findings, budget, use)
        with suppress(EnoughError):
            _compare_bodies(bodies[0], bodies[1], walk, findings, policy)
        if len(findings) == before:
            findings.set_aside("body", "notation")
    texts = (bodies[0].text, bodies[1].text) if bodies is not None else ("", "")
    differences, aside = findings.settle(texts, bodies[0].value if bodies is not None else None, budget)
    return _conclude(differences, aside, findings, reason)


def _turns_on_validators(first: int, second: int, request: FrozenRequest) -> bool:
    """Whether only one side knows the validators that the client holds: they are of the primary's making, so
    the other cannot but send the whole (RFC 9110, section 13)."""
    for part, names in _VALIDATED.items():
        if part in (first, second) and _WHOLE in (first, second):
            return any(name.lower() in names for name, _ in request.headers)
    return False


def _conclude(
    differences: list[Difference], aside: list[SetAside], findings: Findings, reason: str | None
) -> Verdict:
    if reason is not None and not differences:
        return Verdict(verdict="incomparable", reason=reason, set_aside=tuple(aside[:MAX_LISTED]))
    return Verdict(
        verdict="differ" if differences else "match",
        differences=tuple(differences[:MAX_LISTED]),
        set_aside=tuple(aside[:MAX_LISTED]),
        excused=tuple(findings.excused[:MAX_LISTED]),
        truncated=max(0, len(differences) - MAX_LISTED) + findings.dropped,
    )


def _compare_status(
    primary: Answer, copy: Answer, policy: Policy, findings: Findings, use: PolicyUse | None
) -> None:
    if primary.status == copy.status:
        return
    meant = [e for e in policy.ignore if e.part == "status"]
    if meant:
        findings.set_aside("status", "ignore")
        if use is not None:
            use.mark(meant[0])
    elif policy.only and not any(e.part == "status" for e in policy.only):
        findings.set_aside("status", "only")
    elif policy.status == "class" and primary.status // 100 == copy.status // 100:
        findings.set_aside("status", "class")
    else:
        findings.differ("status", "value", primary.status, copy.status)


def _read_bodies(
    primary: Answer, copy: Answer, policy: Policy, request: FrozenRequest | None
) -> tuple[str | None, tuple[Body, Body] | None]:
    """Both bodies read, the same one twice where they are equal; or why they cannot be compared (None where
    there is nothing to compare)."""
    if _NOT_MODIFIED in (primary.status, copy.status) and primary.status != copy.status:
        return "not_modified", None
    if (request is not None and request.method == b"HEAD") or primary.status == copy.status in _BODILESS:
        return None, None
    if primary.body is None or copy.body is None:
        return primary.missing or copy.missing or "unavailable", None
    if _may_lack_its_body(primary) and copy.body:
        return primary.missing, None
    if max(len(primary.body), len(copy.body)) > policy.max_bytes:
        return "too_large", None
    headers = gather(primary.headers), gather(copy.headers)
    codings = [", ".join(h.get("content-encoding", ())) for h in headers]
    types = [h.get("content-type", [""])[0] for h in headers]
    if primary.body == copy.body and codings[0] == codings[1] and types[0] == types[1]:
        same = Body("empty" if not primary.body else "same", primary.body)
        return None, (same, same)
    try:
        first, second = (
            _decode(body, coding, policy.max_bytes)
            for body, coding in zip((primary.body, copy.body), codings, strict=True)
        )
    except TooLargeError:
        return "too_large", None
    if first == second and types[0] == types[1]:
        same = Body("same", first[0])
        return None, (same, same)
    read = [
        read_body(data, said) if decoded else Body("bytes", data)
        for (data, decoded), said in zip((first, second), types, strict=True)
    ]
    return None, (read[0], read[1])


def _may_lack_its_body(answer: Answer) -> bool:
    return bool(answer.missing) and answer.body == b""


def _decode(body: bytes, coding: str, limit: int) -> tuple[bytes, bool]:
    try:
        return decode_content(body, coding, limit), True
    except UndecodableError:
        return body, False


def _compare_bodies(first: Body, second: Body, walk: Walk, findings: Findings, policy: Policy) -> None:
    if first.kind != second.kind:
        _compare_kinds(first, second, findings, policy)
    elif first.kind == "bytes":
        assert isinstance(first.value, bytes)
        assert isinstance(second.value, bytes)
        if first.value != second.value:
            walk.add((Whole("bytes"),), "value", describe_bytes(first.value), describe_bytes(second.value))
    elif first.kind == "text":
        walk.lines(first.text.splitlines(), second.text.splitlines())
    else:
        walk.values(_root(first.value), first.value, second.value)


def _root(value: object) -> Path:
    return (Tag(value.name),) if isinstance(value, Element) else ()


def _compare_kinds(first: Body, second: Body, findings: Findings, policy: Policy) -> None:
    if policy.only and not any(e.part == "body" for e in policy.only):
        findings.set_aside("body", "only")
    elif any(e.part == "body" and not e.tests for e in policy.ignore):
        findings.set_aside("body", "ignore")
    elif first.kind == "empty":
        findings.differ("body", "added", None, _described(second))
    elif second.kind == "empty":
        findings.differ("body", "removed", _described(first), None)
    else:
        findings.differ("body", "type", first.kind, second.kind)


def _described(body: Body) -> object:
    return describe_bytes(body.value) if isinstance(body.value, bytes) else body.value


def _look(primary: Answer, policy: Policy, bodies: tuple[Body, Body] | None, use: PolicyUse) -> None:
    """Looks for the policy's places in the whole of the primary's answer."""
    body = _readable(primary, policy, bodies[0]) if bodies is not None else None
    use.look(list(gather(primary.headers)), lambda expression: body is not None and _is_in(expression, body))


def _readable(primary: Answer, policy: Policy, body: Body) -> Body:
    """The primary's body, read also where both were found to be the same bytes."""
    if body.kind != "same":
        return body
    headers = gather(primary.headers)
    try:
        data = decode_content(
            primary.body or b"", ", ".join(headers.get("content-encoding", ())), policy.max_bytes
        )
    except (TooLargeError, UndecodableError):
        return Body("bytes", primary.body)
    return read_body(data, headers.get("content-type", [""])[0])


def _is_in(expression: Expression, body: Body) -> bool:
    """Whether a body has the place; also where it is too large to tell."""
    if not expression.tests:
        return True
    if body.kind in ("text", "bytes"):
        steps = (
            ["bytes"]
            if body.kind == "bytes"
            else map("line {}".format, range(1, 1 + body.text.count("\n") + 1))
        )
        return any(expression.is_at((Whole(step),)) for step in steps)
    waiting: list[tuple[Path, object]] = [(_root(body.value), body.value)]
    for _ in range(_MAX_LOOKED_AT):
        if not waiting:
            return False
        path, value = waiting.pop()
        if expression.is_at(path):
            return True
        if expression.goes_through(path):
            waiting.extend(((*path, step), inner) for step, inner in reversed(inside(value)))
    return True
