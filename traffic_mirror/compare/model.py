"""What is compared, and what comes out of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from traffic_mirror.copies.request import Fields

VerdictName = Literal["match", "differ", "incomparable"]
DifferenceKind = Literal["added", "removed", "type", "value", "order"]


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One side's response. `body` is raw (still content-encoded); None when it was not kept, and then
    `missing` says why: `streamed`, `too_large`, `unavailable`. With `missing` an empty body may not have been
    kept either: a HAR does not tell.

    `hosts` are the names this side goes by (`host` and `host:port`, as asked for): they are noise in links.
    `began` is the unix time its request was sent, `seconds` how long the answer took in all. `scheme` is how
    the side was reached, `http` or `https`; empty where unknown.
    """

    status: int
    headers: Fields
    body: bytes | None
    missing: str = ""
    hosts: tuple[str, ...] = ()
    began: float = 0.0
    seconds: float = 0.0
    scheme: str = ""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One place where two responses differ; values are JSON-like and bounded, None where absent."""

    place: str
    kind: DifferenceKind
    primary: object
    copy: object


class SetAside(msgspec.Struct, frozen=True, gc=False):
    """A place that differed only by noise, and which noise (`timestamp`, `uuid`, `host`, `baseline`, …)."""

    place: str
    why: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A comparison's result. `reason` is set for `incomparable`. `truncated` says that more differences were
    found than are listed. `excused` are differences that the baseline excuses; `set_aside` names their
    places."""

    verdict: VerdictName
    reason: str | None = None
    differences: tuple[Difference, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    excused: tuple[Difference, ...] = ()
    truncated: int = 0
