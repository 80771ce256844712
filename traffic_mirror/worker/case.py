"""A case: one mirrored request, everything its copies share, and how its primary answered."""

from __future__ import annotations

from traffic_mirror.compare import Answer
from traffic_mirror.wire.frames import Mirror, Primary
from traffic_mirror.worker.errand import Errand

_HEAD, _FIELD = 512, 64  # bytes of a request's values beside its fields', and of a field beside its own


class Case:
    """A request, its body, what is wanted of its copies' answers, and what is known of them.

    `keep` is how many bytes of an answer's body are wanted; 0 is none. `told` says that copies' results go
    anywhere but into the counts, `waits` that they are not told before the primary's answer is there.
    `open` counts copies that are not settled yet. `weight` is about how many bytes the request holds.
    """

    __slots__ = (
        "baseline",
        "body",
        "frame",
        "held",
        "keep",
        "open",
        "primary",
        "primary_body",
        "request",
        "streamed",
        "told",
        "unpaired",
        "waiting",
        "waits",
        "weight",
    )

    def __init__(self, frame: Mirror, body: bytes, keep: int, *, waits: bool, told: bool) -> None:
        self.frame = frame
        self.request = frame.request
        self.body = body
        self.keep = keep
        self.streamed = frame.streamed
        self.waits = waits
        self.told = told
        self.open = len(frame.copies)
        self.primary: Primary | None = None
        self.primary_body = b""
        self.unpaired = ""  # why no primary's answer will come
        self.baseline: Errand | None = None
        self.waiting: list[Errand] = []
        self.held = 0
        self.weight = len(body) + _HEAD + sum(_FIELD + len(value) for _, value in frame.request.headers)

    @property
    def ready(self) -> bool:
        """Whether copies that have ended can be settled."""
        if self.waits and self.primary is None and not self.unpaired:
            return False
        return self.frame.baseline < 0 or self.baseline is not None

    def primary_answer(self) -> Answer | None:
        """The primary's answer, None where there is none."""
        primary = self.primary
        if primary is None or primary.error or not primary.status:
            return None
        return Answer(
            status=primary.status,
            headers=primary.headers,
            body=self.primary_body if primary.has_body else None,
            missing=primary.missing,
            hosts=primary.hosts,
            began=primary.began,
            seconds=primary.seconds,
            scheme=primary.scheme,
        )
