"""A lane: one destination's queue, its bounds, and the copies under way to it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from traffic_mirror.copies import Unredactable
from traffic_mirror.spec.model import Destination
from traffic_mirror.worker.breaker import Breaker
from traffic_mirror.worker.curl_errors import NO_SOCKET, reason_of
from traffic_mirror.worker.errand import Errand, Outcome
from traffic_mirror.worker.grpc import outcome_of_call
from traffic_mirror.worker.sender import Sent
from traffic_mirror.worker.trailers import TrailerSender
from traffic_mirror.worker.upload import Room, whole_feed

if TYPE_CHECKING:
    from traffic_mirror.worker.websocket import Conversation

logger = logging.getLogger(__name__)

Ended = Callable[[Errand], None]
_WITH_TRAILERS = ("HTTP/2.0", "HTTP/3")


class Lane:
    """Takes errands, sends so many at a time, lets the others wait, and drops what can't be sent in time.

    An errand's end is told once, through `ended`, with its `outcome` (and `sent` if it got so far).
    The queue's bytes bound what waits and, apart from the first copy, what is under way.
    """

    def __init__(self, destination: Destination, parent_proxy: str, ended: Ended) -> None:
        self.destination = destination
        self.breaker = Breaker(destination.circuit_breaker)
        self.queue_bytes = 0
        self.room = Room(destination.queue.bytes)
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._ended = ended
        self._sender = TrailerSender(destination, parent_proxy)
        self._queue: deque[Errand] = deque()
        self._under_way: set[Errand] = set()
        self._bytes_under_way = 0
        self._conversing = 0
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def queue_copies(self) -> int:
        """Copies that wait."""
        return len(self._queue)

    @property
    def in_flight(self) -> int:
        """Copies being sent."""
        return len(self._under_way)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being sent."""
        return not self._queue and not self._under_way

    @property
    def closable(self) -> bool:
        """Whether closing it takes no time."""
        return self.idle and self._sender.closable

    def offer(self, errand: Errand) -> None:
        """Sends a copy now or as soon as there is room; or drops one, as the destination's queue says."""
        if self.breaker.refuses(self._clock()):
            self._end(errand, Outcome("dropped", "breaker_open"))
            return
        errand.size = errand.weigh()
        if errand.conversation is not None:
            self._converse(errand)
            return
        if not self._queue and self._has_slot(errand):
            self._start(errand)
            return
        bounds = self.destination.queue
        if bounds.when_full == "drop_oldest" and errand.size <= bounds.bytes:
            while self._queue and not self._has_room(errand):
                self._end(self._pop(), Outcome("dropped", "queue_full"))
        if not self._has_room(errand):
            self._end(errand, Outcome("dropped", "queue_full"))
            return
        self._queue.append(errand)
        self.queue_bytes += errand.size
        if self._alarm is None:
            self._alarm = self._loop.call_at(errand.deadline, self._expire)

    def give_up(self, errand: Errand, outcome: Outcome) -> None:
        """Ends a copy, wherever it stands, with `outcome`; one that has ended stays as it is."""
        if errand.outcome is not None:
            return
        if errand in self._under_way:
            assert errand.transfer is not None
            errand.sent = self._sender.cancel(errand.transfer)
            self._leave(errand)
            if errand.conversation is None or not errand.conversation.opened:
                self.breaker.abandon()
        else:
            self._queue.remove(errand)
            self.queue_bytes -= errand.size
        self._end(errand, outcome)
        self._pump()

    def fail(self, errand: Errand, outcome: Outcome) -> None:
        """Ends a copy that something went wrong with on our side, without a word to its transfer."""
        if errand.outcome is None:
            if errand in self._under_way:
                self._leave(errand)
            elif errand in self._queue:
                self._queue.remove(errand)
                self.queue_bytes -= errand.size
            self._end(errand, outcome)

    def uploaded(self, errand: Errand) -> None:
        """The whole body of a streamed copy is here: from now on its timeout runs."""
        errand.deadline = self._clock() + self.destination.timeout
        late = Outcome(
            "failed", "timeout", f"no answer within {self.destination.timeout:g} s of the body's end"
        )
        errand.alarm = self._loop.call_at(errand.deadline, self.give_up, errand, late)

    def give_up_all(self, outcome: Outcome) -> None:
        """Ends every copy with `outcome`, those under way too."""
        while self._queue:
            self._end(self._pop(), outcome)
        for errand in list(self._under_way):
            self.give_up(errand, outcome)

    async def close(self) -> None:
        """Closes the connections; to be called when the lane is idle."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._sender.closable:
            await self._sender.close()

    def _converse(self, errand: Errand) -> None:
        """Begins a WebSocket. It may last for hours, so it takes no other copy's place."""
        if self._conversing >= self.destination.max_in_flight:
            self._end(errand, Outcome("dropped", "queue_full"))
            return
        assert errand.conversation is not None
        errand.conversation.begin(partial(self._heard, errand))
        self._start(errand)
        self._loop.call_at(errand.deadline, self._expect_open, errand)

    def _expect_open(self, errand: Errand) -> None:
        if errand.conversation is not None and not errand.conversation.opened:
            late = f"no answer within {self.destination.timeout:g} s"
            self.give_up(errand, Outcome("failed", "timeout", late))

    def _heard(self, errand: Errand, what: str) -> None:
        """What a conversation says of its destination, from within libcurl."""
        if what == "opened":
            if self.breaker.end(self._clock(), ok=True):
                self._log_breaker(Outcome("delivered", "1xx"))
            return
        self._loop.call_later(self.destination.timeout, self.left, errand)

    def left(self, errand: Errand) -> None:
        """Ends the copy of a WebSocket whose destination has closed, while the client goes on."""
        conversation = errand.conversation
        if conversation is not None and not conversation.ended:
            self.give_up(errand, _left(conversation))

    def _has_slot(self, errand: Errand) -> bool:
        return len(self._under_way) - self._conversing < self.destination.max_in_flight and (
            not self._under_way or self._bytes_under_way + errand.size <= self.destination.queue.bytes
        )

    def _has_room(self, errand: Errand) -> bool:
        bounds = self.destination.queue
        return len(self._queue) < bounds.copies and self.queue_bytes + errand.size <= bounds.bytes

    def _start(self, errand: Errand) -> None:
        case = errand.case
        try:
            if errand.conversation is not None:
                errand.route.plan.check_messages()
            copy = errand.copy = errand.route.plan.copy(case.request, None if case.streamed else case.body)
            if too_large := self._sender.why_unsendable(copy, websocket=errand.conversation is not None):
                raise ValueError(too_large)
        except Unredactable as error:
            self._end(errand, Outcome("skipped", "unredactable", str(error)))
            return
        except ValueError as error:
            self._end(errand, Outcome("skipped", "unsendable", str(error)))
            return
        came = case.request.trailers
        if came and copy.body is not None and (kept := errand.route.plan.trailers(came)):
            errand.feed = whole_feed(copy.body, kept)
        now = self._clock()
        if not self.breaker.begin(now):
            self._end(errand, Outcome("dropped", "breaker_open"))
            return
        errand.began = now
        errand.began_at = time.time()
        self._under_way.add(errand)
        self._bytes_under_way += errand.size
        self._conversing += errand.conversation is not None
        errand.transfer = self._sender.start(
            copy,
            errand.deadline - now,
            case.keep,
            partial(self._done, errand),
            errand.feed,
            errand.conversation,
        )
        if errand.feed is not None and errand.feed.ended:
            self.uploaded(errand)

    def _done(self, errand: Errand, sent: Sent) -> None:
        if errand.outcome is not None:
            return
        self._leave(errand)
        errand.sent = sent
        conversation = errand.conversation
        if conversation is not None and conversation.opened:
            self._end(errand, outcome_of_conversation(conversation, sent))
            self._pump()
            return
        outcome = outcome_of(sent)
        changed = False
        if outcome.reason == NO_SOCKET:
            self.breaker.abandon()
        else:
            changed = self.breaker.end(self._clock(), ok=outcome.outcome == "delivered")
        self._end(errand, outcome)
        if changed:  # said after the end is told, since that takes secrets out of its message
            self._log_breaker(outcome)
        self._pump()

    def _leave(self, errand: Errand) -> None:
        self._under_way.discard(errand)
        self._bytes_under_way -= errand.size
        self._conversing -= errand.conversation is not None
        errand.transfer = None

    def _end(self, errand: Errand, outcome: Outcome) -> None:
        errand.outcome = outcome
        if errand.alarm is not None:
            errand.alarm.cancel()
        if errand.feed is not None:
            errand.feed.detach()
        self._ended(errand)

    def _pump(self) -> None:
        """Sends what waits, as far as there is room."""
        while self._queue and self._has_slot(self._queue[0]):
            errand = self._pop()
            if errand.deadline <= self._clock():
                self._end(errand, Outcome("dropped", "deadline"))
            else:
                self._start(errand)

    def _pop(self) -> Errand:
        errand = self._queue.popleft()
        self.queue_bytes -= errand.size
        return errand

    def _expire(self) -> None:
        """Drops what has waited too long. All copies here have the same timeout, so the oldest is first."""
        self._alarm = None
        now = self._clock()
        while self._queue and self._queue[0].deadline <= now:
            self._end(self._pop(), Outcome("dropped", "deadline"))
        if self._queue:
            self._alarm = self._loop.call_at(self._queue[0].deadline, self._expire)

    def _log_breaker(self, last: Outcome) -> None:
        name = self.destination.name
        if self.breaker.state == "closed":
            logger.info("destination %s answers again, its circuit breaker is closed", name)
            return
        logger.warning(
            "destination %s: circuit breaker open, %d of the last %d copies failed (the last one: %s: %s);"
            " a copy is tried every %g s",
            name,
            *self.breaker.failed_of,
            last.reason,
            last.message,
            self.destination.circuit_breaker.open_for,
        )


def outcome_of(sent: Sent) -> Outcome:
    """What a transfer's end is called: an answer is `delivered`, even one too large to be read to its end."""
    if sent.code == 0 or (sent.too_large and sent.status):
        call = outcome_of_call(sent) if sent.version in _WITH_TRAILERS else None
        return call or Outcome("delivered", f"{sent.status // 100}xx")
    return Outcome("failed", reason_of(sent.code, sent.message, sent.os_error), sent.message)


def outcome_of_conversation(conversation: Conversation, sent: Sent) -> Outcome:
    """What the end of a WebSocket's copy is called: `delivered` when it took all that the client said."""
    if conversation.error:
        return Outcome("failed", "protocol", conversation.error)
    if conversation.through:
        return Outcome("delivered", "1xx")
    if conversation.left or sent.code == 0:
        return _left(conversation)
    return Outcome("failed", reason_of(sent.code, sent.message, sent.os_error), sent.message)


def _left(conversation: Conversation) -> Outcome:
    how = f"closed the WebSocket with {conversation.left}" if conversation.left else "ended the connection"
    return Outcome("failed", "websocket_closed", f"the destination {how} before the client did")
