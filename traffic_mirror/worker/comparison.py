"""One comparison: whether a copy gets one, how much work it may be, and what it comes to."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from traffic_mirror.compare import Answer, Budget, Difference, Lesson, Policy, PolicyUse, Verdict, judge
from traffic_mirror.copies.request import Fields
from traffic_mirror.worker.errand import Errand

logger = logging.getLogger(__name__)

LIGHT = 64 * 1024  # bytes of both bodies
_LONG = 1_000  # bits of an integer that is shown by its first digits only


def why_not(errand: Errand) -> str | None:
    """Why a copy gets no comparison: None where none is due, "" where it gets one, else the reason."""
    case = errand.case
    if not case.frame.compare or errand.sent is None:
        return None
    if errand.outcome is None or errand.outcome.outcome != "delivered":
        return None
    if case.unpaired:
        return case.unpaired
    return "" if case.primary_answer() is not None else "primary_failed"


def weigh(errand: Errand) -> int:
    """The bytes of both answers' bodies."""
    body = errand.sent.body if errand.sent is not None else None
    return len(errand.case.primary_body) + len(body or b"")


def is_light(errand: Errand) -> bool:
    """Whether a comparison is surely small: a compressed body may be a thousand times its size."""
    if weigh(errand) > LIGHT:
        return False
    primary, sent = errand.case.primary, errand.sent
    assert primary is not None
    assert sent is not None
    return not _is_encoded(primary.headers) and not _is_encoded(sent.fields())


def _is_encoded(fields: Fields) -> bool:
    return any(len(name) == 16 and name.lower() == b"content-encoding" for name, _ in fields)


def compare(
    errand: Errand,
    policy: Policy,
    seconds: float,
    clock: Callable[[], float],
    use: PolicyUse | None = None,
    lesson: Lesson | None = None,
) -> Verdict:
    """The verdict on a copy, given up as `budget` after about so many seconds of `clock`."""
    primary, copy, request = errand.case.primary_answer(), answer_of(errand), errand.case.request
    assert primary is not None
    budget = Budget(seconds=seconds, clock=clock)
    try:
        return _plain(judge(primary, copy, policy, request=request, learned=lesson, budget=budget, use=use))
    except Exception:
        logger.exception("the comparison of flow %s failed", request.id)
        return Verdict(verdict="incomparable", reason="error")


def answer_of(errand: Errand) -> Answer:
    """A delivered copy's answer, as a comparison takes it."""
    sent, copy, destination = errand.sent, errand.copy, errand.route.lane.destination
    assert sent is not None
    assert copy is not None
    authority = f"{destination.hostname}:{destination.port}"
    return Answer(
        status=sent.status,
        headers=sent.fields(),
        body=sent.body,
        missing="too_large" if sent.too_large else "",
        hosts=tuple(dict.fromkeys((destination.hostname, authority, copy.host.decode("latin-1")))),
        began=errand.began_at,
        seconds=sent.seconds,
        scheme=copy.scheme,
    )


def _plain(verdict: Verdict) -> Verdict:
    """The verdict with values that JSON and MessagePack can hold."""
    if not verdict.differences and not verdict.excused:
        return verdict
    found, excused = (
        tuple(Difference(d.place, d.kind, plain(d.primary), plain(d.copy)) for d in differences)
        for differences in (verdict.differences, verdict.excused)
    )
    return msgspec.structs.replace(verdict, differences=found, excused=excused)


def plain(value: object) -> object:
    """A JSON-like value without what no encoder takes: integers over 64 bits, lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > _LONG:
            return f"{value:#x}"[:100]
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, float | bool) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(plain(str(key))): plain(item) for key, item in value.items()}
    return str(value)
