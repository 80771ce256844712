"""The mirror at work: everything behind the hooks, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from mitmproxy import ctx, exceptions
from mitmproxy.proxy import mode_specs
from mitmproxy.utils import asyncio_utils

from traffic_mirror.edge.books import Books
from traffic_mirror.edge.dispatcher import Dispatcher
from traffic_mirror.edge.failed import FailedCopies
from traffic_mirror.edge.inspection import Inspection
from traffic_mirror.edge.link import Link
from traffic_mirror.edge.options import ADDRESS, Options, check_files
from traffic_mirror.edge.pace import Pace
from traffic_mirror.edge.program import Program, build_program
from traffic_mirror.edge.progress import Progress
from traffic_mirror.edge.reach import out_of_reach
from traffic_mirror.edge.recording import ReadErrors
from traffic_mirror.edge.refusal import exit_in_the_end
from traffic_mirror.edge.spec_in_force import SpecInForce
from traffic_mirror.edge.summary import summary_line
from traffic_mirror.edge.worker_log import harmless
from traffic_mirror.ledger import Ledger
from traffic_mirror.rules import RuleSet
from traffic_mirror.rules.sampling import Sampler
from traffic_mirror.spec.model import Spec
from traffic_mirror.wire.codec import WireError
from traffic_mirror.wire.frames import Control, Ended, Judged, Ready, Setup, Shown, Statistics, ToEdge

logger = logging.getLogger("traffic_mirror")

_TALLY_EVERY = 0.5
_MAX_WARNINGS = 10  # of a worker's
_FIXED_AT_START = ("mirror_failed", "mirror_inspect", "mirror_listen", "mirror_results", "mirror_seed")


class Page(NamedTuple):
    """Where the worker serves the page (`host:port`, empty while it does not), and the token it asks for."""

    listen: str = ""
    token: str = ""


class Mirror:
    """What is behind the hooks, built whole. Raises SpecError, OSError or OptionsError where that can't be.

    `page` is where the worker's page is, once the worker says so.
    `statistics` is what the worker last told of differences, for the commands and for the next worker.
    """

    def __init__(self, options: Options) -> None:
        check_files(options)
        _check_failed(options.failed, ctx.options.rfile)
        loop = asyncio.get_running_loop()
        self.page = Page()
        self.statistics = b""
        self.ledger = Ledger()
        self._options = options
        self._inspecting = _is_to_inspect(options)
        self._began = time.time()
        self._link = Link(self, loop)
        self._books = Books(self.ledger)
        self.inspection = Inspection(loop, options.shown) if self._inspecting else None
        self.spec = SpecInForce(options.spec, self._put_in_force, self._link.send)
        program = self._build(self.spec.spec, self.spec.rules)
        sampler = Sampler(options.seed, time.monotonic)
        self.dispatcher = Dispatcher(self._link, self._books, sampler, program, self.inspection, loop)
        self.dispatcher.pace = Pace(options.speed, time.monotonic)
        self._books.tell = self._link.offer if options.results else None
        self._books.failed = FailedCopies(options.failed) if options.failed is not None else None
        self._read_errors = ReadErrors(self._on_read_error)
        self._exit_code = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._apply(options)

    def change(self, options: Options, updated: Iterable[str]) -> None:
        """Takes options that were `updated` while it works. Raises SpecError, OSError for a new spec."""
        self._options = options
        if "mirror_spec" in updated:
            self.spec.move(options.spec)
        elif changed := sorted(set(_FIXED_AT_START).intersection(updated)):
            logger.warning("mirror: %s: a change takes effect at the next start", ", ".join(changed))
        if "mirror_speed" in updated:
            self.dispatcher.pace = Pace(options.speed, time.monotonic)
        self._apply(options)

    def start(self) -> None:
        """Starts the worker, the watcher of the spec, and whatever else needs the loop to run.

        Not before mitmproxy has started: one that ends for an error at its start (a port that is taken)
        cancels every task and calls no `done`, and asyncio waits for ever for a process whose start was
        cancelled (https://github.com/python/cpython/issues/119710).
        """
        self._link.start()
        self._read_errors.install()
        self._show_progress()
        self._spawn(self.spec.watch(), "traffic mirror: spec watcher")
        self._spawn(self._send_tallies(), "traffic mirror: tally")

    def stop(self) -> Awaitable[None]:
        """Drains and ends the worker; to be awaited."""
        self._stopping = True
        self._read_errors.uninstall()
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        return asyncio_utils.create_task(self._stop(), name="traffic mirror: stop", keep_ref=True)

    def pause(self, paused: bool) -> None:
        """Stops, or goes on with, making copies."""
        if self.dispatcher.paused == paused:
            return
        self.dispatcher.set_paused(paused)
        logger.info("mirror: %s", "paused" if paused else "resumed")
        self._send_tally()

    # --- what the link tells ---

    def make_setup(self) -> Setup:
        """All a new worker needs."""
        self._books.begin_tally()
        return Setup(
            spec=self.spec.spec,
            state=self.spec.state,
            listen=self._options.listen,
            results=self._options.results,
            inspect=self._inspecting,
            drain=self._options.drain,
            base=self.ledger.counts(),
            verdicts=self._books.verdict_counts(),
            statistics=self.statistics,
            started=self._began,
            parent_proxy=_parent_proxy(ctx.options.mode, ctx.options.upstream_auth),
            seed=self._options.seed,
            restarts=self._link.restarts,
        )

    def on_frame(self, frame: ToEdge, body: bytes) -> None:
        """Handles a frame from the worker."""
        match frame:
            case Ended():
                self._books.end(frame)
            case Judged():
                self._books.judge(frame)
            case Statistics():
                self.statistics = body
            case Ready():
                self._on_ready(frame)
            case Control():
                self._on_control(frame.action)
            case Shown():
                if self.inspection is not None:
                    self.inspection.show(frame, body)
            case _:
                pass

    def on_lost(self) -> None:
        """The worker is gone: what it had not acknowledged is lost."""
        self.dispatcher.worker_lost("shutdown" if self._stopping else "worker_lost")

    # --- inside ---

    def _apply(self, options: Options) -> None:
        self.dispatcher.offline = options.offline
        self.dispatcher.adds_authorization = bool(ctx.options.upstream_auth)
        if self.inspection is not None:
            self.inspection.set_limit(options.shown)

    def _put_in_force(self, spec: Spec, rules: RuleSet) -> None:
        """A changed spec comes into force: with the next request here, with the next frame in the worker."""
        self.dispatcher.put_in_force(self._build(spec, rules))
        self._link.send(Setup(spec, self.spec.state, inspect=self._inspecting, drain=self._options.drain))

    def _build(self, spec: Spec, rules: RuleSet) -> Program:
        program = build_program(spec, rules, self._books, self._inspecting)
        self._books.trim(spec)
        for warning in out_of_reach(spec, ctx.options.mode, ctx.options.keep_host_header):
            logger.warning("mirror: %s", warning)
        return program

    def _on_ready(self, frame: Ready) -> None:
        if frame.listen and not ADDRESS.fullmatch(frame.listen):
            raise WireError("found a page at what is no address")
        self.page = Page(frame.listen, frame.token)
        for warning in frame.warnings[:_MAX_WARNINGS]:
            logger.warning("mirror: %s", harmless(warning))
        if frame.listen:
            logger.info("mirror: status page and metrics on http://%s/", frame.listen)
            if getattr(ctx.master, "app", None) is not None:
                logger.info("mirror: the page is also under mitmweb's own address, at /mirror")

    def _on_control(self, action: str) -> None:
        if action in ("pause", "resume"):
            self.pause(action == "pause")
        elif action == "reload":
            self.spec.reload_soon()

    def _send_tally(self) -> None:
        if tally := self._books.take_tally():
            self._link.send(tally)

    async def _send_tallies(self) -> None:
        while True:
            await asyncio.sleep(_TALLY_EVERY)
            self._send_tally()

    async def _stop(self) -> None:
        self.dispatcher.settle()
        self._send_tally()
        await self._link.stop(self._options.drain)
        self.dispatcher.worker_lost("shutdown")
        if self.inspection is not None:
            self.inspection.close()
        if self._books.failed is not None:
            await asyncio.to_thread(self._books.failed.close)
        logger.info("mirror: %s", summary_line(self.ledger))
        if self._exit_code:
            asyncio_utils.create_task(
                exit_in_the_end(self._exit_code), name="traffic mirror: exit code", keep_ref=True
            )

    def _on_read_error(self) -> None:
        """What follows in the recording is not mirrored; a test that runs over it must not pass for that."""
        if not self.dispatcher.offline:
            return
        logger.error(
            "mirror: the recording can't be read past its first %d flows; the rest is not mirrored",
            self.dispatcher.recorded,
        )
        if ctx.master.addons.get("keepserving") is not None and not ctx.options.keepserving:
            self._exit_code = 1

    def _show_progress(self) -> None:
        """Where a recording is mirrored on a terminal; with a filter nobody knows how many flows come."""
        file = ctx.options.rfile
        if not self.dispatcher.offline or not file or not sys.stderr.isatty():
            return
        if ctx.master.addons.get("termlog") is None:
            return  # a tool that draws on the terminal itself
        countable = None if file == "-" or ctx.options.readfile_filter else Path(file).expanduser()
        progress = Progress(lambda: self.dispatcher.recorded, sys.stderr, time.monotonic)
        self._spawn(progress.show(countable), "traffic mirror: progress")

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        self._tasks.append(asyncio_utils.create_task(work, name=name, keep_ref=True))  # type: ignore[arg-type]


def _is_to_inspect(options: Options) -> bool:
    if options.inspect == "auto":
        return ctx.master.addons.get("view") is not None
    return options.inspect == "on"


def _check_failed(failed: Path | None, read: str | None) -> None:
    """Copies that fail again must not go where they are read from: that would never end."""
    if failed is not None and read and read != "-" and Path(read).expanduser().resolve() == failed.resolve():
        raise exceptions.OptionsError(
            f"mirror_failed: found {failed}, which is being read, expected another file"
        )


def _parent_proxy(modes: Sequence[str], auth: str | None) -> str:
    """The proxy that upstream mode sends everything through, as a URL; empty in other modes."""
    for mode in modes:
        parsed = mode_specs.ProxyMode.parse(mode)
        if isinstance(parsed, mode_specs.UpstreamMode):
            host, port = parsed.address[:2]
            user, _, password = (auth or "").partition(":")
            who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if auth else ""
            return f"{parsed.scheme}://{who}{f'[{host}]' if ':' in host else host}:{port}"
    return ""
