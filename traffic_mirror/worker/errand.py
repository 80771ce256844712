"""An errand: one copy on its way through the worker, from its frame to its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from traffic_mirror.compare import Policy, PolicyUse
from traffic_mirror.copies import Copy, Plan
from traffic_mirror.ledger import Row
from traffic_mirror.worker.histogram import Histogram
from traffic_mirror.worker.upload import Feed

if TYPE_CHECKING:
    from traffic_mirror.worker.case import Case
    from traffic_mirror.worker.lane import Lane
    from traffic_mirror.worker.sender import Sent, Transfer
    from traffic_mirror.worker.trailers import Journey
    from traffic_mirror.worker.websocket import Conversation

PolicyOf = Callable[[], tuple[Policy, PolicyUse]]


class Route:
    """Where the copies of one rule to one destination go: compiled once per spec, used by each copy.

    `path` is the rule's, below its listen path, and `is_template` whether it is that of one route; `policy`
    gives how answers are compared.
    """

    __slots__ = (
        "api",
        "destination",
        "is_template",
        "lane",
        "path",
        "plan",
        "policy",
        "row",
        "rule",
        "seconds",
    )

    def __init__(
        self,
        row: Row,
        plan: Plan,
        lane: Lane,
        path: str,
        is_template: bool,
        policy: PolicyOf,
        seconds: Histogram,
    ) -> None:
        self.api, self.rule, self.destination = row.key
        self.row = row
        self.plan = plan
        self.lane = lane
        self.path = path
        self.is_template = is_template
        self.policy = policy
        self.seconds = seconds


class Outcome:
    """How a copy ended; `message` says more to a person where there is more to say."""

    __slots__ = ("message", "outcome", "reason")

    def __init__(self, outcome: str, reason: str, message: str = "") -> None:
        self.outcome = outcome
        self.reason = reason
        self.message = message


class Errand:
    """One copy: its number, its request (shared, in `case`), and where it stands.

    `came`, `deadline` and `began` are the loop's times, `began` 0 until it is sent, and then `began_at` is
    the same in unix seconds. `size` is what the copy weighs in its lane's queue.
    """

    __slots__ = (
        "alarm",
        "began",
        "began_at",
        "came",
        "case",
        "conversation",
        "copy",
        "deadline",
        "feed",
        "number",
        "outcome",
        "route",
        "sent",
        "size",
        "transfer",
    )

    def __init__(self, number: int, route: Route, case: Case, came: float, deadline: float) -> None:
        self.number = number
        self.route = route
        self.case = case
        self.came = came
        self.deadline = deadline
        self.began = 0.0
        self.began_at = 0.0
        self.size = 0
        self.alarm: asyncio.TimerHandle | None = None
        self.copy: Copy | None = None
        self.feed: Feed | None = None
        self.conversation: Conversation | None = None
        self.transfer: Transfer | Journey | None = None
        self.sent: Sent | None = None
        self.outcome: Outcome | None = None

    def weigh(self) -> int:
        """The bytes it holds: its request's body and head, about."""
        return self.case.weight + len(self.case.request.target)
