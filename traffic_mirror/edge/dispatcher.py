"""The dispatcher: takes flows from the hooks, decides, and hands copies to the worker.

Everything here runs on the proxy's loop, so it does only what must be decided there: guard, freeze, match,
sample, push. A hook itself only guards and freezes where it can: the rest is gathered for some milliseconds,
off the way of the client's request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from functools import partial

from mitmproxy import http
from mitmproxy.proxy import mode_specs

from traffic_mirror.copies.headers import has_field, is_websocket_upgrade
from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.edge import capture
from traffic_mirror.edge.bodies import Bodies
from traffic_mirror.edge.books import Books
from traffic_mirror.edge.failed import DESTINATION, Kept
from traffic_mirror.edge.gathering import Gathering
from traffic_mirror.edge.inspection import Inspection
from traffic_mirror.edge.link import Link
from traffic_mirror.edge.pace import Load, Pace, until_room
from traffic_mirror.edge.program import SAFE_METHODS, Lot, Program
from traffic_mirror.edge.sockets import Sockets
from traffic_mirror.edge.taken import Taken
from traffic_mirror.rules import Route
from traffic_mirror.rules.sampling import Sampler
from traffic_mirror.spec.model import BY_HAND
from traffic_mirror.wire.frames import Mirror, Primary

_MAX_AWAITED = 20_000  # primaries whose answer a copy waits for
_GRACE = 0.5  # seconds a waiting client grants beyond its copies' timeouts
_SMALL = 64 * 1024  # bytes of a body that may wait to be decided on


class Dispatcher:
    """What becomes of each flow. The program is swapped on a reload; the books outlive all."""

    def __init__(
        self,
        link: Link,
        books: Books,
        sampler: Sampler,
        program: Program,
        inspection: Inspection | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.program = program
        self.inspection = inspection
        self.paused = False
        self.offline = False
        self.adds_authorization = False
        self.pace = Pace(None, time.monotonic)
        self.recorded = 0
        self.books = books
        self._link = link
        self._sampler = sampler
        self._next = 0
        self._awaited: dict[str, tuple[int | None, str, float]] = {}
        self._gathering = Gathering(loop, link.flush)
        self._undecided: dict[str, str] = {}
        self._bodies = Bodies(link, self._begin_body, self._miss_body)
        self._sockets = Sockets(link, self._begin_socket)
        self._load = Load(lambda: books.under_way, books.is_under_way)

    # --- what the hooks call ---

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Makes ready for a body that may come to be streamed."""
        if self._is_traffic(flow):
            self._bodies.watch(flow)

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Mirrors `flow` if a rule takes it; what it returns is to be awaited before the request goes on."""
        if self._bodies.finish(flow):
            return None
        if not flow.live and self.offline:
            return self._request_recorded(flow)
        if not self._is_traffic(flow):
            return None
        request = self._freeze(flow)
        content = flow.request.data.content
        if content is None or not self._can_wait(request, len(content)):
            self._gathering.finish()
            return self._decide(flow, request, content)
        self._undecided[flow.id] = request.host
        self._gathering.put(partial(self._decide_late, flow, request, content), len(content))
        return None

    def response(self, flow: http.HTTPFlow) -> None:
        """Tells the worker how the primary answered a mirrored request, or that it did not."""
        if (refused := self._sockets.refused(flow)) is not None:
            self._end_here(refused, refused.plan.lots, "skipped", "websocket_refused")
        if flow.error:
            self._bodies.abort(flow)
        else:
            self._bodies.answered(flow)
        host = self._undecided.get(flow.id)
        if host is not None:
            max_bytes, released = self.program.most_compared, 0.0
        elif awaited := self._awaited.get(flow.id):
            max_bytes, host, released = awaited
        else:
            return
        frame, body = capture.freeze_answer(flow, host, max_bytes, released)
        self._gathering.put(partial(self._tell_answer, frame, body), len(body))

    def websocket_start(self, flow: http.HTTPFlow) -> None:
        """Mirrors a WebSocket that the primary accepted."""
        self._gathering.finish()
        taken = self._sockets.accepted(flow)
        if taken is None:
            return
        if taken.program is not self.program:  # a reload came between the request and its answer
            self._end_here(taken, taken.plan.lots, "skipped", "reloaded")
            return
        self._sockets.start(taken)
        self.response(flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """Hands on a message of the client's."""
        self._sockets.pass_on(flow)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        """Closes the mirrored WebSocket as the original was."""
        self._sockets.end(flow)

    # --- what commands and the link call ---

    def send(self, flow: http.HTTPFlow, destination: int | None = None) -> int:
        """Mirrors `flow` now, at a rate of 1; returns how many copies were handed on.

        They go where the rule that takes it says or, if given, to the destination of that index alone,
        rule or no rule.
        """
        self._gathering.finish()
        program, request = self.program, self._freeze(flow)
        taken = self._match(flow, request) or Taken(
            flow, request, program, Route(-1, 0, BY_HAND, BY_HAND.rules[0])
        )
        lots = list(taken.plan.lots)
        if destination is not None:
            name = program.spec.destinations[destination].name
            lots = [self.books.lot(taken.route.api.name, taken.route.rule.name, name, destination)]
        sent = self._mirror(taken, lots, flow.request.data.content or b"") if lots else ()
        if not flow.live:
            self.response(flow)  # no hook comes for it any more
        return len(sent)

    def put_in_force(self, program: Program) -> None:
        """Decides by `program` on requests from now on."""
        self._gathering.finish()
        self.program = program

    def set_paused(self, paused: bool) -> None:
        """While paused, copies are skipped and counted."""
        self._gathering.finish()
        self.paused = paused
        self.books.set_paused(paused)

    def settle(self) -> None:
        """Decides on all requests that have come."""
        self._gathering.finish()

    def worker_lost(self, reason: str) -> None:
        """Whatever the worker had not told the end of is dropped for `reason`."""
        self.books.end_all(reason)
        self._awaited.clear()
        self._sockets.forget()

    # --- deciding ---

    def _can_wait(self, request: FrozenRequest, size: int) -> bool:
        """Whether it is enough to decide on a live request when it has gone on its way.

        Not where it may have to wait for its copies, filters look at its flow, or flows are shown.
        """
        return (
            size <= _SMALL
            and not self.program.looks_at_flows
            and self.inspection is None
            and not (self.program.takes_websockets and is_websocket_upgrade(request.headers))
        )

    def _decide_late(self, flow: http.HTTPFlow, request: FrozenRequest, content: bytes) -> None:
        """Decides on a request that has gone on its way."""
        self._undecided.pop(flow.id, None)
        self._decide(flow, request, content)

    def _decide(
        self, flow: http.HTTPFlow, request: FrozenRequest, content: bytes | None
    ) -> Awaitable[None] | None:
        taken = self._match(flow, request)
        if taken is None:
            return None
        plan = taken.plan
        reason = self._why_not(taken)
        if not reason and is_websocket_upgrade(request.headers):
            if plan.rule.websocket:
                self._sockets.ask(taken)
                return None
            reason = "websocket"
        if content is None and request.method == b"HEAD":
            content = b""  # what was streamed means nothing
        if not reason and content is None:
            reason = "body_unavailable"
        elif not reason and content is not None and len(content) > plan.rule.max_body:
            reason = "body_too_large"
        if reason:
            self._end_here(taken, plan.lots, "skipped", reason)
            return None
        chosen = self._sample(taken)
        if not chosen:
            return None
        wait = plan.rule.wait and flow.live
        numbers = self._mirror(taken, chosen, content or b"", wait=wait)
        return self._hold(flow, numbers, plan.timeout + _GRACE) if wait and numbers else None

    def _tell_answer(self, frame: Primary, body: bytes) -> None:
        """Tells the worker of an answer that copies wait for."""
        awaited = self._awaited.pop(frame.id, None)
        if awaited is None:
            return
        frame, body = capture.cut_answer(frame, body, awaited[0])
        if self._link.offer(frame, body) == "edge_full":
            # The verdict must not wait for an answer that never comes.
            short = (frame.id, frame.status, frame.seconds, frame.began, frame.headers, frame.hosts)
            self._link.send(Primary(*short, missing="edge_full"))

    async def _hold(self, flow: http.HTTPFlow, numbers: Sequence[int], seconds: float) -> None:
        """Holds the request until its copies have ended; the primary is timed from then on."""
        await self.books.wait_for(numbers, seconds)
        if awaited := self._awaited.get(flow.id):
            self._awaited[flow.id] = (*awaited[:2], time.time())

    async def _request_recorded(self, flow: http.HTTPFlow) -> None:
        """Mirrors a flow from a file when it is due and there is room; its reader waits meanwhile."""
        self.recorded += 1
        await self._link.until_started()  # else the first ones would wait in the outbox and go all at once
        await self.pace.until_due(flow.request.timestamp_start)
        size = capture.weigh(flow, self.program.most_compared)
        await until_room(lambda: self._load.has_room(size, self.program.spec), self.books.some_ended)
        if self._is_traffic(flow):
            first = self._next
            self._decide(flow, self._freeze(flow), flow.request.data.content)
            self._load.add(range(first, self._next), size)

    def _begin_body(self, flow: http.HTTPFlow) -> bool:
        """Mirrors a request whose body begins to pass, if a rule takes it."""
        self._gathering.finish()
        taken = self._match(flow, self._freeze(flow)) if self._is_traffic(flow, streamed=True) else None
        if taken is None:
            return False
        if reason := self._why_not(taken):
            self._end_here(taken, taken.plan.lots, "skipped", reason)
            return False
        chosen = self._sample(taken)
        mirrored = bool(chosen and self._mirror(taken, chosen, None))
        if flow.response is not None and flow.response.timestamp_end is not None:
            self.response(flow)  # it came before the body's first byte
        return mirrored

    def _miss_body(self, flow: http.HTTPFlow, reason: str) -> None:
        """Counts a streamed request that ended before its body began, if a rule would have taken it."""
        taken = self._match(flow, self._freeze(flow))
        if taken is None:
            return
        if skipped := self._why_not(taken):
            self._end_here(taken, taken.plan.lots, "skipped", skipped)
        else:
            self._end_here(taken, self._sample(taken), "dropped", reason)

    def _begin_socket(self, taken: Taken) -> bool:
        chosen = self._sample(taken)
        return bool(chosen and self._mirror(taken, chosen, b"", websocket=True))

    def _freeze(self, flow: http.HTTPFlow) -> FrozenRequest:
        ours = self.adds_authorization and isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode)
        return capture.freeze_request(flow, added_authorization=ours)

    def _match(self, flow: http.HTTPFlow, request: FrozenRequest) -> Taken | None:
        """The request with the rule that takes it, if one does."""
        program = self.program
        route = program.rules.match(
            request.method.decode("latin-1"), request.host, request.target, request.headers, flow
        )
        return Taken(flow, request, program, route) if route is not None else None

    def _is_traffic(self, flow: http.HTTPFlow, *, streamed: bool = False) -> bool:
        """Live, not replayed, and on its way to the primary; or loaded from a file, where that is wanted.

        A primary may answer before a streamed body's first byte; another addon can't answer one.
        """
        if flow.is_replay:
            return False
        if flow.live:
            return flow.error is None and (streamed or flow.response is None)
        return self.offline

    def _why_not(self, taken: Taken) -> str:
        """The reason to skip every copy, whatever the body, or ""."""
        if self.paused:
            return "paused"
        if has_field(taken.request.headers, taken.program.markers):
            return "loop"
        return ""

    def _sample(self, taken: Taken) -> list[Lot]:
        """The destinations whose turn it is; the others are counted."""
        request = taken.request
        if again := taken.flow.metadata.get(DESTINATION):
            return [lot for lot in taken.plan.lots if lot.row.key.destination == again]
        reasons = self._sampler.decide(
            taken.route, taken.program.spec, request.headers, request.target, request.client
        )
        chosen = []
        for lot, why in zip(taken.plan.lots, reasons, strict=True):
            if why:
                self._end_here(taken, (lot,), "sampled_out", why)
            else:
                chosen.append(lot)
        return chosen

    # --- doing ---

    def _mirror(
        self,
        taken: Taken,
        lots: list[Lot],
        body: bytes | None,
        *,
        wait: bool = False,
        websocket: bool = False,
    ) -> tuple[int, ...]:
        """Hands the copies to the worker; their numbers, none when it takes no more.

        Without a body it follows in pieces.
        """
        flow, plan = taken.flow, taken.plan
        compare = plan.compare_bytes is not None and not websocket
        baseline = compare and self._add_baseline(taken, lots)
        first = self._next
        self._next += len(lots)
        numbers = tuple(range(first, self._next))
        frame = Mirror(
            taken.request,
            taken.route.api_index,
            taken.route.rule_index,
            tuple((number, lot.destination) for number, lot in zip(numbers, lots, strict=True)),
            wait=wait,
            compare=compare,
            baseline=numbers[-1] if baseline else -1,
            streamed=body is None,
            has_body=body is not None,
            websocket=websocket,
        )
        refused = self._link.offer(frame, body or b"", now=wait)
        if self.books.failed is not None and body is not None and not websocket:
            self._keep(frame, body, lots, refused)
        if refused:
            self._end_here(taken, lots, "dropped", refused)
            return ()
        self.books.open(taken, numbers, lots)
        if self.inspection is not None:
            self.inspection.mirrored(flow)
        if len(self._awaited) < _MAX_AWAITED:
            self._awaited[flow.id] = (plan.compare_bytes if compare else None, taken.request.host, 0.0)
        return numbers

    def _keep(self, frame: Mirror, body: bytes, lots: list[Lot], refused: str) -> None:
        """Keeps what is needed to send the copies again, should they not arrive."""
        assert self.books.failed is not None
        for (number, _), lot in zip(frame.copies, lots, strict=True):
            if number == frame.baseline:
                continue
            kept = Kept(frame.request, body, lot.row.key.destination)
            if refused:
                self.books.failed.keep(kept)
            else:
                self.books.failed.remember(number, kept)

    def _add_baseline(self, taken: Taken, lots: list[Lot]) -> bool:
        """Adds the copy to the primary itself, for safe methods and at its own rate."""
        lot, wanted = taken.plan.baseline, taken.plan.rule.compare.baseline
        if lot is None or wanted is None:
            return False
        if taken.request.method not in SAFE_METHODS:
            self._end_here(taken, (lot,), "skipped", "unsafe_method")
        elif not self._sampler.draw(wanted.sample_rate):
            self._end_here(taken, (lot,), "sampled_out", "destination_rate")
        else:
            lots.append(lot)
            return True
        return False

    def _end_here(self, taken: Taken, lots: Sequence[Lot], outcome: str, reason: str) -> None:
        """Copies that never reach the worker: counted, and noted on the flow where it is shown."""
        self.books.end_here(taken, lots, outcome, reason)
        if self.inspection is not None:
            self.inspection.note(taken.flow, [lot.row.key.destination for lot in lots], outcome, reason)
