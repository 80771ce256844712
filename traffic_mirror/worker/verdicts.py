"""Verdicts: compares answers between other work, the large ones beside it, within bounds."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic

from traffic_mirror.compare import Verdict
from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.comparison import compare, is_light, weigh, why_not
from traffic_mirror.worker.errand import Errand

MAX_WAITING = 2_000
MAX_BYTES = 64 * 1024 * 1024
LIGHT_SECONDS = 0.05
HEAVY_SECONDS = 1.0
_SWITCH = 0.0005  # seconds after which a comparison lets the loop go on, where Python's own are 0.005

Tell = Callable[[Errand, Verdict | None], None]


class _Queue:
    """Comparisons that wait, bounded in number and in bytes."""

    __slots__ = ("_bytes", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Errand] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, errand: Errand) -> bool:
        """Takes one in; False where there is no room."""
        if len(self._waiting) >= MAX_WAITING or self._bytes > MAX_BYTES:
            return False
        self._waiting.append(errand)
        self._bytes += weigh(errand)
        return True

    def get(self) -> Errand:
        """The one that has waited longest."""
        errand = self._waiting.popleft()
        self._bytes -= weigh(errand)
        return errand


class Verdicts:
    """Takes settled copies and hands each on through `tell`, with its verdict where one is due.

    Sending goes first. Small answers are compared one a turn of the loop. Large ones may take a second, so
    a thread compares them, one at a time, and gives way to the loop every half a millisecond. When too many
    wait, a copy is `incomparable: overload`. A baseline gets no verdict: comparing it teaches the accounts
    how the primary differs from itself.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, accounts: Accounts, tell: Tell) -> None:
        self._loop = loop
        self._accounts = accounts
        self._tell = tell
        self._light = _Queue()
        self._heavy = _Queue()
        self._under_way: Errand | None = None
        self._thread: ThreadPoolExecutor | None = None

    @property
    def idle(self) -> bool:
        """Whether no comparison waits or is made."""
        return not self._light and not self._heavy and self._under_way is None

    def settle(self, errand: Errand) -> None:
        """Takes a copy whose primary's answer is known, or known not to come."""
        reason = why_not(errand)
        if reason is None:
            self._tell(errand, None)
        elif reason:
            self._refuse(errand, reason)
        elif is_light(errand):
            if not self._light.put(errand):
                self._refuse(errand, "overload")
            elif len(self._light) == 1:
                self._loop.call_soon(self._judge_light)
        elif not self._heavy.put(errand):
            self._refuse(errand, "overload")
        elif self._under_way is None:
            self._judge_heavy()

    def close(self) -> None:
        """Hands on what waits, and what is still compared, without a comparison."""
        errand, self._under_way = self._under_way, None
        if errand is not None:
            self._refuse(errand, "shutdown")
        for queue in (self._light, self._heavy):
            while queue:
                self._refuse(queue.get(), "shutdown")
        if self._thread is not None:
            self._thread.shutdown(wait=False)

    def _judge_light(self) -> None:
        if not self._light:
            return
        errand = self._light.get()
        if self._light:
            self._loop.call_soon(self._judge_light)
        self._judged(errand, self._work(errand, LIGHT_SECONDS)())

    def _judge_heavy(self) -> None:
        if self._thread is None:
            sys.setswitchinterval(_SWITCH)
            self._thread = ThreadPoolExecutor(1, "compare")
        errand = self._under_way = self._heavy.get()
        self._loop.run_in_executor(self._thread, self._work(errand, HEAVY_SECONDS)).add_done_callback(
            lambda done: self._judged_heavy(errand, done.result())
        )

    def _judged_heavy(self, errand: Errand, verdict: Verdict) -> None:
        if self._under_way is not errand:  # closed meanwhile
            return
        self._under_way = None
        if self._heavy:
            self._judge_heavy()
        self._judged(errand, verdict)

    def _work(self, errand: Errand, seconds: float) -> Callable[[], Verdict]:
        """A comparison that changes none of the accounts, ready to be made."""
        policy, use = errand.route.policy()
        if is_baseline(errand):
            return partial(compare, errand, policy, seconds, monotonic)
        lesson = self._accounts.baselines.lesson(errand.route.rule, route_of(errand), errand.route.api)
        return partial(compare, errand, policy, seconds, monotonic, use, lesson)

    def _judged(self, errand: Errand, verdict: Verdict) -> None:
        api, rule, route = errand.route.api, errand.route.rule, route_of(errand)
        if is_baseline(errand):
            self._accounts.baselines.learn(rule, route, verdict, api)
            self._tell(errand, None)
        else:
            self._accounts.baselines.observe(rule, route, verdict, api)
            self._tell(errand, verdict)

    def _refuse(self, errand: Errand, reason: str) -> None:
        verdict = None if is_baseline(errand) else Verdict(verdict="incomparable", reason=reason)
        self._tell(errand, verdict)


def is_baseline(errand: Errand) -> bool:
    """Whether a copy is its request's second run against the primary itself."""
    return errand.number == errand.case.frame.baseline


def route_of(errand: Errand) -> str:
    """A copy's route as people name it: its method and its rule's path."""
    return f"{errand.case.request.method.decode('latin-1')} {errand.route.path}"
