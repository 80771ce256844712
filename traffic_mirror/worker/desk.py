"""The desk: takes requests in, sends their copies on their way, and counts how each one ended."""

from __future__ import annotations

import asyncio
import logging

from traffic_mirror.masking import Masker
from traffic_mirror.spec.model import find_rule
from traffic_mirror.wire.frames import BROKEN, Chunk, ChunkEnd, Ending, Mirror, Primary, Setup, Socket, Unsent
from traffic_mirror.worker.accounts import Accounts, Failure
from traffic_mirror.worker.case import Case
from traffic_mirror.worker.conversations import Conversations
from traffic_mirror.worker.errand import Errand, Outcome
from traffic_mirror.worker.notes import Notes
from traffic_mirror.worker.pairing import Pairing
from traffic_mirror.worker.pipes import Outlet
from traffic_mirror.worker.program import Lanes, Program, Unused
from traffic_mirror.worker.report import Report
from traffic_mirror.worker.results import Results, line_of_unsent, url_of_original
from traffic_mirror.worker.teller import SHOWN_BODY, Teller, credentials_of
from traffic_mirror.worker.timings import Timings
from traffic_mirror.worker.upload import Uploads
from traffic_mirror.worker.verdicts import Verdicts

logger = logging.getLogger(__name__)

_MAX_SECRETS = 10_000
_ORDINARY = frozenset({"queue_full", "breaker_open", "shutdown"})


class Desk:
    """What the worker does with its frames, but for starting and stopping."""

    def __init__(self, accounts: Accounts, outlet: Outlet, loop: asyncio.AbstractEventLoop) -> None:
        self.lanes = Lanes(self._ended)
        self.report = Report(outlet, loop)
        self._accounts = accounts
        self._loop = loop
        self._program: Program | None = None
        self._teller = Teller(accounts, self.report, outlet)
        self._verdicts = Verdicts(loop, accounts, self._teller.tell)
        self._pairing = Pairing(loop.time, self._verdicts.settle)
        self._uploads = Uploads()
        self._conversations = Conversations()
        self._timings = Timings(accounts)
        self._secrets: tuple[str, ...] = ()
        self._notes = Notes(logger.warning)

    @property
    def idle(self) -> bool:
        """Whether every copy taken has ended and been told."""
        return self.lanes.idle and not len(self._pairing) and self._verdicts.idle

    @property
    def masker(self) -> Masker:
        """Hides what the specs so far took from the environment."""
        return self._teller.masker

    def set_up(self, setup: Setup) -> None:
        """Puts a spec in force, for the copies that come from now on."""
        lanes = self.lanes.adopt(setup.spec.destinations, setup.parent_proxy)
        self._program = Program(setup.spec, lanes, self._accounts, inspect=setup.inspect)
        # Copies under way may still show what an older spec held.
        self._secrets = tuple(dict.fromkeys((*setup.spec.secrets, *self._secrets)))[:_MAX_SECRETS]
        self._teller.masker = Masker(self._secrets)
        self._accounts.trim(setup.spec)
        self._teller.inspect = setup.inspect
        if setup.results and self._teller.results is None:
            self._teller.results = Results(setup.results, self._loop)

    def mirror(self, frame: Mirror, body: bytes) -> None:
        """Sends the copies of a request."""
        program = self._program
        assert program is not None, "a Mirror frame came before Setup"
        routes = [program.route(frame.api, frame.rule, destination) for _, destination in frame.copies]
        self._timings.expect(frame.request.id, routes)
        case = self._open(program, frame, body)
        now = self._loop.time()
        for (number, _), route in zip(frame.copies, routes, strict=True):
            route.row.selected += 1
            errand = Errand(number, route, case, now, now + route.lane.destination.timeout)
            self._offer(errand)

    def primary(self, frame: Primary, body: bytes) -> None:
        """Takes the primary's answer."""
        if frame.status:
            self._timings.answered(frame.id, frame.seconds)
        self._pairing.answered(frame, body)

    def chunk(self, frame: Chunk, body: bytes) -> None:
        """Takes a piece of a streamed body; a copy that can't keep up is dropped, the others go on."""
        for errand in self._uploads.push(frame.id, body):
            errand.route.lane.give_up(
                errand, Outcome("dropped", "slow", "the destination takes the body too slowly")
            )

    def chunk_end(self, frame: ChunkEnd, _: bytes) -> None:
        """Takes a streamed body's end."""
        for errand in self._uploads.end(frame):
            if frame.aborted:
                errand.route.lane.give_up(errand, Outcome("dropped", frame.aborted))
            elif errand.transfer is not None:
                errand.route.lane.uploaded(errand)

    def socket(self, frame: Socket, body: bytes) -> None:
        """Takes a message of a mirrored WebSocket, or its close."""
        for errand in self._conversations.of(frame):
            lane, conversation = errand.route.lane, errand.conversation
            assert conversation is not None
            if frame.close == BROKEN:
                lane.give_up(errand, Outcome("dropped", frame.reason))
            elif frame.close:
                conversation.close(frame.close, frame.reason)
                lane.uploaded(errand)
            elif conversation.left:
                lane.left(errand)
            elif not conversation.say(body, text=frame.text):
                lane.give_up(
                    errand, Outcome("dropped", "slow", "the destination takes the messages too slowly")
                )

    def unsent(self, frame: Unsent, _: bytes) -> None:
        """Writes the line of a copy that ended at the edge."""
        if self._teller.results is not None:
            self._teller.results.add(line_of_unsent(frame, self._teller.masker))

    async def sweep(self) -> None:
        """Gives up what has waited too long, closes what is no longer used."""
        self._pairing.sweep()
        self._look_for_unused()
        await self.lanes.sweep()

    def expect_no_more(self) -> None:
        """Nothing more will come from the edge: no answers, no pieces of bodies."""
        self._pairing.close()
        for errand in (*self._uploads.give_up(), *self._conversations.give_up()):
            errand.route.lane.give_up(errand, Outcome("dropped", "shutdown"))

    async def close(self) -> None:
        """Ends whatever is left, tells it, and closes files and connections."""
        for lane in self.lanes:
            lane.give_up_all(Outcome("dropped", "shutdown"))
        self._verdicts.close()
        self._conclude_unused()
        self.report.flush()
        if self._teller.results is not None:
            await self._teller.results.close()
        await self.lanes.close()

    def _offer(self, errand: Errand) -> None:
        """Sends a copy on its way; whatever is wrong with it, it ends."""
        lane, frame = errand.route.lane, errand.case.frame
        try:
            if frame.streamed:
                self._uploads.add(errand)
            if frame.websocket:
                self._conversations.add(errand)
            lane.offer(errand)
        except MemoryError:
            raise
        except Exception as error:
            logger.exception("flow %s: its copy can't be made", errand.case.request.id)
            lane.fail(errand, Outcome("failed", "internal", type(error).__name__))

    def _open(self, program: Program, frame: Mirror, body: bytes) -> Case:
        """The case of a request, kept where its copies' answers are compared or shown."""
        waits = frame.compare or self._teller.results is not None
        keep = SHOWN_BODY if self._teller.inspect else 0
        if frame.compare:
            keep = max(keep, find_rule(program.spec, frame.api, frame.rule)[1].compare.max_bytes)
        case = Case(frame, body, keep, waits=waits, told=waits or self._teller.inspect)
        if case.told:
            self._pairing.open(case)
        return case

    def _look_for_unused(self) -> None:
        found = self._program.unused() if self._program is not None else []
        unused = [(api, rule, expression) for api, rule, expression, _ in found]
        for name in unused:
            if name not in self._accounts.unused:
                logger.warning("%s / %s: `%s` in its compare: has matched nothing so far", *name)
        self._accounts.unused = unused

    def _conclude_unused(self) -> None:
        """Says what matched nothing by the end, in however few comparisons, and was not said yet."""
        rules: dict[str, list[Unused]] = {}
        for found in self._program.unused(1) if self._program is not None else ():
            if (found.api, found.rule, found.expression) not in self._accounts.unused:
                rules.setdefault(found.expression, []).append(found)
        for expression, (first, *others) in rules.items():
            logger.warning(
                "%s / %s%s: `%s` in its compare: matched nothing in the last %s; it is misspelt, or these "
                "answers have no such place",
                first.api,
                first.rule,
                f" and {len(others)} more rules" if others else "",
                expression,
                _comparisons(sum(found.compared for found in (first, *others))),
            )

    def _ended(self, errand: Errand) -> None:
        outcome, route, case = errand.outcome, errand.route, errand.case
        assert outcome is not None
        seconds = seconds_of(errand)
        route.row.end(outcome.outcome, outcome.reason)
        self._accounts.history.ended(route.destination, outcome.outcome, seconds)
        delivered = outcome.outcome == "delivered"
        self._timings.ended(case.request.id, route, seconds if delivered else None)
        if delivered:
            route.seconds.observe(seconds)
        else:
            self._note(errand, outcome)
        self.report.ended(
            Ending(errand.number, outcome.outcome, outcome.reason, seconds), urgent=case.frame.wait
        )
        if case.streamed:
            self._uploads.forget(errand)
        elif errand.conversation is not None:
            self._conversations.forget(errand)
        if case.told:
            self._pairing.ended(errand)

    def _note(self, errand: Errand, outcome: Outcome) -> None:
        destination, request = errand.route.destination, errand.case.request
        if outcome.reason in _ORDINARY:
            if outcome.reason == "queue_full":
                self._notes.add(destination, outcome.outcome, outcome.reason, "", self._loop.time())
            return
        masker = self._teller.masker.also(credentials_of(errand))
        outcome.message = masker.text(outcome.message)
        self._notes.add(destination, outcome.outcome, outcome.reason, outcome.message, self._loop.time())
        self._accounts.failures.append(
            Failure(
                request.time,
                request.id,
                errand.route.rule,
                destination,
                outcome.outcome,
                outcome.reason,
                outcome.message,
                errand.route.api,
                request.method.decode("latin-1"),
                masker.text(url_of_original(errand)),
                seconds_of(errand),
            )
        )


def seconds_of(errand: Errand) -> float:
    """How long a copy was on the network; 0 when it never got there."""
    return errand.sent.seconds if errand.sent is not None else 0.0


def _comparisons(count: int) -> str:
    """So many, in words."""
    return "comparison" if count == 1 else f"{count:,} comparisons"
