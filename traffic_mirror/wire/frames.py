"""The frames between edge and worker: the whole vocabulary, typed.

A frame is a msgspec struct, encoded as a tagged MessagePack array, and optionally a body (raw bytes)
beside it, so that a large body is never copied into an encoder's buffer. `wire.codec` reads and writes
them. Nothing here assumes that both ends share a machine; where they do, a large body may cross in memory
that they share, which only those two know.

Edge to worker, in order: `Setup` first and on every reload; then for each request that a rule took and
that has at least one copy to send, `Mirror` (body: the request's, unless it is streamed), for a streamed
one `Chunk`… and `ChunkEnd`; once its primary answered, `Primary`. `Tally` whenever the edge's own
counts changed (at most twice a second), `SpecState` when a reload was tried, `Unsent` for a copy that ended
at the edge, where results are kept. `Stop` last.

Worker to edge: `Ready` once; `Ended` in batches, `Judged` in batches, `Shown` where copies are
inspected, `Statistics` at most once a second when changed, `Control` from the page's switch,
`Beat` every second, `Taken` after bodies that came in shared memory (`wire.ring`).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from traffic_mirror.compare.model import Difference, SetAside
from traffic_mirror.copies.request import Fields, FrozenRequest
from traffic_mirror.ledger import Count
from traffic_mirror.spec.model import Spec


class SpecState(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The spec in force, for the page and metrics: `ok` and `problems` are of the last load tried."""

    file: str
    loaded_at: float
    ok: bool
    problems: tuple[str, ...] = ()


class VerdictCount(NamedTuple):
    """Verdicts of one ledger row."""

    api: str
    rule: str
    destination: str
    verdict: str
    count: int  # type: ignore[assignment]  # shadows tuple.count, which nobody calls on it


class Setup(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """All a worker needs; sent first, and again with a new spec (then only `spec` and `state` may differ).

    `base` and `verdicts` are the counts of all copies that ended before this worker began, `statistics`
    what a worker last sent as `Statistics`. `results` is a path of the worker's machine, or empty.
    `inspect` asks for `Shown` frames. `drain` is seconds. `restarts` is how many workers there were before.
    """

    spec: Spec
    state: SpecState
    listen: str = ""
    results: str = ""
    inspect: bool = False
    drain: float = 5.0
    base: tuple[Count, ...] = ()
    verdicts: tuple[VerdictCount, ...] = ()
    statistics: bytes = b""
    started: float = 0.0
    parent_proxy: str = ""
    seed: str = ""
    restarts: int = 0


class Mirror(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    """A request and the copies to send of it. `api` and `rule` are indices into the spec in force; -1 for
    what a person sends without a rule.

    `copies` pairs a copy's number (unique over the edge's life) with a destination's index. `baseline`
    is the number of the copy that is the baseline, or -1. `wait` asks for `Ended` without delay.
    `compare` asks for a verdict. The request's `body` is None in the frame; it travels beside it.
    `streamed`: the body follows in `Chunk` frames. `websocket`: the request opened a WebSocket with the
    primary; the client's messages follow in `Socket` frames.
    """

    request: FrozenRequest
    api: int
    rule: int
    copies: tuple[tuple[int, int], ...]
    wait: bool = False
    compare: bool = False
    baseline: int = -1
    streamed: bool = False
    has_body: bool = False
    websocket: bool = False


class Chunk(msgspec.Struct, frozen=True, array_like=True, tag=4, gc=False):
    """A piece of a streamed request's body, beside it; `id` is the flow's."""

    id: str


class ChunkEnd(msgspec.Struct, frozen=True, array_like=True, tag=5, gc=False):
    """The end of a streamed body; `aborted` when the client gave up or the edge had to drop pieces."""

    id: str
    aborted: str = ""
    trailers: Fields = ()


class Primary(msgspec.Struct, frozen=True, array_like=True, tag=6, gc=False):
    """How the primary answered flow `id`; headers, and the body beside it, only where copies are compared.

    `error` is set instead of a status when it did not. `missing` says why there is no body. `scheme` is how
    it was reached.
    """

    id: str
    status: int
    seconds: float
    began: float = 0.0
    headers: Fields = ()
    hosts: tuple[str, ...] = ()
    missing: str = ""
    error: str = ""
    has_body: bool = False
    scheme: str = ""


class Tally(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """The counts of copies that ended at the edge since this worker began, absolute; and whether paused."""

    counts: tuple[Count, ...]
    paused: bool = False


class Stop(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """The edge is going: drain for at most `drain` seconds, report, exit."""

    drain: float


class Socket(msgspec.Struct, frozen=True, array_like=True, tag=9, gc=False):
    """A message the client sent on a mirrored WebSocket, beside it; or its close, with code and reason.

    A `close` of BROKEN: the edge had to drop a message, for `reason`.
    """

    id: str
    text: bool = False
    close: int = 0
    reason: str = ""


class Unsent(msgspec.Struct, frozen=True, array_like=True, tag=10, gc=False):
    """A copy that ended at the edge, for its line in the results; sent only where results are kept.

    It names its row and its route's path, since the spec may have changed meanwhile. `Tally` counts it,
    this frame does not.
    """

    id: str
    time: float
    api: str
    rule: str
    destination: str
    method: bytes
    scheme: str
    host: str
    port: int
    target: bytes
    outcome: str
    reason: str
    template: str | None = None


BROKEN = -1


class Ready(msgspec.Struct, frozen=True, array_like=True, tag=20):
    """The worker runs; `listen` is where its page is (empty: off or taken), `warnings` are for the log.

    `token` is what the page asks for, where others than this machine can reach it.
    """

    pid: int
    listen: str = ""
    warnings: tuple[str, ...] = ()
    token: str = ""


class Ending(NamedTuple):
    """One copy's end."""

    number: int
    outcome: str
    reason: str
    seconds: float = 0.0


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=21):
    """Copies that ended."""

    endings: tuple[Ending, ...]


class Judged(msgspec.Struct, frozen=True, array_like=True, tag=22):
    """Verdicts given since the last `Judged`, per ledger row (not absolute)."""

    verdicts: tuple[VerdictCount, ...]


class Shown(msgspec.Struct, frozen=True, array_like=True, tag=23, gc=False):
    """A copy as sent and answered, for inspection, secrets included (the viewer sees the original's too).

    The response's body, bounded, is beside it. Sent once the copy ended and, where it is compared,
    has its verdict. `began` is unix seconds, `seconds` from sending to the last byte, `first_byte` to the
    first. `request_body` is None where it is the original's.
    """

    number: int
    id: str
    api: str
    rule: str
    destination: str
    method: bytes
    url: str
    http_version: str
    headers: Fields
    outcome: str
    reason: str
    message: str = ""
    status: int = 0
    response_headers: Fields = ()
    began: float = 0.0
    seconds: float = 0.0
    verdict: str = ""
    verdict_reason: str | None = None
    differences: tuple[Difference, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    request_body: bytes | None = None
    first_byte: float = 0.0


class Statistics(msgspec.Struct, frozen=True, array_like=True, tag=24):
    """What the worker would not like to lose: histograms, difference groups (MessagePack, beside it)."""


class Control(msgspec.Struct, frozen=True, array_like=True, tag=25):
    """A wish from the page: `pause`, `resume` or `reload`."""

    action: str


class Beat(msgspec.Struct, frozen=True, array_like=True, tag=26):
    """The worker lives."""


class Taken(msgspec.Struct, frozen=True, array_like=True, tag=27, gc=False):
    """The worker has copied the oldest `count` bodies out of the memory that the edge shares with it."""

    count: int


ToWorker = SpecState | Setup | Mirror | Chunk | ChunkEnd | Primary | Tally | Stop | Socket | Unsent
ToEdge = Ready | Ended | Judged | Shown | Statistics | Control | Beat | Taken
