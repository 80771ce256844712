"""The inspection: copies shown as flows beside their originals, the newest so many, in idle moments.

Frames wait in a bounded queue and become flows between other work, a few milliseconds at a time; where they
come faster than that, the oldest are left out and counted. A copy that falls out of the view is gone. Both
what waits and what is shown is bounded in number and in the bytes of its bodies.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Protocol, cast

from mitmproxy import ctx, http
from mitmproxy.addons import save, view
from mitmproxy.flow import Flow
from mitmproxy.hooks import UpdateHook
from mitmproxy.utils import asyncio_utils

from traffic_mirror.edge.shown import COPIES, make_copy_flow, summary_of, worst_mark
from traffic_mirror.wire.frames import Shown

_EVERY = 0.05  # seconds
_AT_ONCE = 0.005  # seconds of work, at most, each time
_NOTES = "mirror.notes"

MAX_WAITING = 64 * 1024 * 1024  # bytes
MAX_SHOWN = 256 * 1024 * 1024


class Showing(Protocol):
    """Where flows are shown: mitmproxy's view."""

    def add(self, flows: list[Flow]) -> None:
        """Shows flows."""

    def remove(self, flows: list[Flow]) -> None:
        """Takes flows away."""

    def get_by_id(self, flow_id: str) -> Flow | None:
        """A flow that is shown."""


class Inspection:
    """Shows copies. `limit` is how many; `left_out` counts those that came too fast."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        self.limit = limit
        self.left_out = 0
        self._loop = loop
        self._waiting: deque[tuple[Shown, bytes]] = deque()
        self._waiting_bytes = 0
        self._copies: deque[tuple[str, int]] = deque()
        self._shown_bytes = 0
        self._originals: OrderedDict[str, http.HTTPFlow] = OrderedDict()
        self._changed: dict[str, http.HTTPFlow] = {}
        self._timer: asyncio.TimerHandle | None = None

    def mirrored(self, flow: http.HTTPFlow) -> None:
        """Remembers a flow that has copies under way, where no view does."""
        if _view() is None:
            self._originals[flow.id] = flow
            while len(self._originals) > self.limit:
                self._originals.popitem(last=False)

    def show(self, frame: Shown, body: bytes) -> None:
        """Takes a copy that ended; it is shown soon."""
        self._waiting.append((frame, body))
        self._waiting_bytes += _weight(frame, body)
        while len(self._waiting) > self.limit or self._waiting_bytes > MAX_WAITING:
            self._take()
            self.left_out += 1
        self._wake()

    def note(self, flow: http.HTTPFlow, destinations: list[str], outcome: str, reason: str) -> None:
        """Says on a flow that copies of it were not made, and why."""
        for destination in destinations:
            _add_note(flow, f"{destination}: {outcome}: {reason}", "")
        self._changed[flow.id] = flow
        self._wake()

    def set_limit(self, limit: int) -> None:
        """Shows at most `limit` copies from now on."""
        self.limit = limit
        self._evict()

    def close(self) -> None:
        """Shows what waits, at once."""
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            self._show_next()
        self._tell()

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(_EVERY, self._work)

    def _work(self) -> None:
        self._timer = None
        until = self._loop.time() + _AT_ONCE
        while self._waiting and self._loop.time() < until:
            self._show_next()
        self._tell()
        if self._waiting:
            self._wake()

    def _take(self) -> tuple[Shown, bytes]:
        frame, body = self._waiting.popleft()
        self._waiting_bytes -= _weight(frame, body)
        return frame, body

    def _show_next(self) -> None:
        frame, body = self._take()
        shown_in = _view()
        original = self._originals.get(frame.id) if shown_in is None else shown_in.get_by_id(frame.id)
        if not isinstance(original, http.HTTPFlow):
            return  # the user has cleared it away
        try:
            copy = make_copy_flow(frame, body, original)
        except (ValueError, TypeError, LookupError):  # no worker of ours says what is no flow
            self.left_out += 1
            return
        _add_note(original, summary_of(frame), copy.marked)
        original.metadata.setdefault(COPIES, []).append(copy.id)
        self._changed[original.id] = original
        _save(copy)
        if shown_in is not None:
            shown_in.add([copy])
            self._copies.append((copy.id, _weight(frame, body)))
            self._shown_bytes += _weight(frame, body)
            self._evict()

    def _evict(self) -> None:
        shown_in = _view()
        while (len(self._copies) > self.limit or self._shown_bytes > MAX_SHOWN) and shown_in is not None:
            flow_id, weight = self._copies.popleft()
            self._shown_bytes -= weight
            gone = shown_in.get_by_id(flow_id)
            if gone is not None:
                shown_in.remove([gone])

    def _tell(self) -> None:
        """Lets whoever shows flows know of those whose words changed."""
        if self._changed:
            changed: list[Flow] = list(self._changed.values())
            self._changed = {}
            asyncio_utils.create_task(
                ctx.master.addons.trigger_event(UpdateHook(changed)),
                name="traffic mirror: update flows",
                keep_ref=True,
            )


def find_flow(flow_id: str) -> Flow | None:
    """A flow that is shown."""
    shown_in = _view()
    return shown_in.get_by_id(flow_id) if shown_in is not None else None


def _view() -> Showing | None:
    found = ctx.master.addons.get("view")
    return cast("Showing", found) if isinstance(found, view.View) else None


def _weight(frame: Shown, body: bytes) -> int:
    """The bytes that showing a copy costs, about."""
    return len(body) + len(frame.request_body or b"") + 2048


def _save(copy: http.HTTPFlow) -> None:
    """Writes a copy to the file that `-w` names, if there is one: it only hears of answers to clients."""
    saver = ctx.master.addons.get("save")
    if isinstance(saver, save.Save) and saver.stream and not saver.stream.fo.closed:
        saver.save_flow(copy)


def _add_note(flow: http.HTTPFlow, words: str, mark: str) -> None:
    """Sums up one more copy in its original's comment and mark; what a person wrote there stays."""
    before = flow.metadata.get(_NOTES, {"copies": [], "marks": [], "comment": "", "mark": ""})
    copies = [*before["copies"], words]
    marks = [*before["marks"], mark] if mark else before["marks"]
    comment = f"copied → {'; '.join(copies)}" if marks else f"not copied → {'; '.join(copies)}"
    if not flow.comment or flow.comment == before["comment"]:
        flow.comment = comment
    elif before["comment"] and before["comment"] in flow.comment:
        flow.comment = flow.comment.replace(before["comment"], comment)
    else:
        flow.comment = f"{flow.comment} | {comment}"
    if marks and flow.marked in ("", before["mark"]):
        flow.marked = worst_mark(marks)
        before = {**before, "mark": flow.marked}
    flow.metadata[_NOTES] = {**before, "copies": copies, "marks": marks, "comment": comment}
