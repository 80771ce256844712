"""The addon: mitmproxy's hooks, and the life of everything behind them."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from mitmproxy import addonmanager, contentviews, ctx, exceptions, http
from mitmproxy.proxy import mode_specs
from mitmproxy.utils import asyncio_utils

from traffic_mirror.edge.books import Books
from traffic_mirror.edge.commands import Commands
from traffic_mirror.edge.contentview import MirrorDiff
from traffic_mirror.edge.dispatcher import Dispatcher
from traffic_mirror.edge.failed import FailedCopies
from traffic_mirror.edge.inspection import Inspection, find_flow
from traffic_mirror.edge.link import Link
from traffic_mirror.edge.options import (
    ADDRESS,
    Options,
    check_files,
    convert_deferred,
    declare_options,
    misspelt,
    parse_options,
)
from traffic_mirror.edge.pace import Pace
from traffic_mirror.edge.program import build_program
from traffic_mirror.edge.progress import Progress
from traffic_mirror.edge.reach import out_of_reach
from traffic_mirror.edge.recording import ReadErrors
from traffic_mirror.edge.refusal import exit_in_the_end, refuse
from traffic_mirror.edge.spec_in_force import SpecInForce
from traffic_mirror.edge.summary import summary_line
from traffic_mirror.edge.worker_log import harmless
from traffic_mirror.ledger import Ledger
from traffic_mirror.rules import RuleSet
from traffic_mirror.rules.sampling import Sampler
from traffic_mirror.spec.model import Spec
from traffic_mirror.spec.problems import SpecError
from traffic_mirror.wire.codec import WireError
from traffic_mirror.wire.frames import (
    Control,
    Ended,
    Judged,
    Ready,
    Setup,
    Shown,
    SpecState,
    Statistics,
    ToEdge,
)

logger = logging.getLogger("traffic_mirror")
# mitmproxy's root logger takes DEBUG and formats every record: below INFO ours are for nobody.
logger.setLevel(logging.INFO)

_TALLY_EVERY = 0.5
_MAX_WARNINGS = 10  # of a worker's
_FIXED_AT_START = ("mirror_failed", "mirror_inspect", "mirror_listen", "mirror_results", "mirror_seed")


class MirrorAddon:
    """Mirrors flows; built once for each load of the script."""

    def __init__(self, default_spec: Path) -> None:
        self.addons = [Commands(self)]
        self.ledger = Ledger()
        self.listen = ""
        self.statistics = b""
        self._default_spec = default_spec
        self._options: Options | None = None
        self._spec: SpecInForce | None = None
        self._dispatcher: Dispatcher | None = None
        self._link: Link | None = None
        self.inspection: Inspection | None = None
        self._token = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._began = time.time()
        self._runs = False
        self._stopping = False
        self._read_errors = ReadErrors(self._on_read_error)
        self._exit_code = 0

    # --- mitmproxy's hooks ---

    def load(self, loader: addonmanager.Loader) -> None:
        """Declares the options, and takes what was already said of them; a mistake there ends the program."""
        declare_options(loader, self._default_spec)
        try:
            convert_deferred(loader.master.options)
        except exceptions.OptionsError as error:
            refuse(error)

    def configure(self, updated: set[str]) -> None:
        """Takes the options; at start a mistake in them or in the spec ends the program."""
        if not any(name.startswith("mirror_") or name == "upstream_auth" for name in updated):
            return
        try:
            self._configure(updated)
        except (exceptions.OptionsError, SpecError, OSError) as error:
            refuse(error)

    def running(self) -> None:
        """Starts what needs the loop to run: the worker, the watcher of the spec, the tally."""
        self._runs = True
        if self._link is not None:
            self._link.start()
        for warning in misspelt(ctx.options):
            logger.warning("mirror: %s", warning)
        contentviews.add(MirrorDiff(find_flow))
        self._add_page_to_mitmweb()
        self._read_errors.install()
        self._show_progress()
        if self._spec is not None:
            self._spawn(self._spec.watch(), "traffic mirror: spec watcher")
        self._spawn(self._send_tallies(), "traffic mirror: tally")
        _spare_the_collector()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Makes ready for a body that may come to be streamed."""
        if self._dispatcher:
            self._dispatcher.requestheaders(flow)

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Mirrors the request if a rule takes it."""
        return self._dispatcher.request(flow) if self._dispatcher else None

    def response(self, flow: http.HTTPFlow) -> None:
        """Tells how the primary answered."""
        if self._dispatcher:
            self._dispatcher.response(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """Tells that the primary did not answer."""
        if self._dispatcher:
            self._dispatcher.response(flow)

    def websocket_start(self, flow: http.HTTPFlow) -> None:
        """Mirrors a WebSocket."""
        if self._dispatcher:
            self._dispatcher.websocket_start(flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """Mirrors a message on it."""
        if self._dispatcher:
            self._dispatcher.websocket_message(flow)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        """Closes its mirror."""
        if self._dispatcher:
            self._dispatcher.websocket_end(flow)

    def done(self) -> Awaitable[None] | None:
        """Drains and ends the worker. mitmproxy awaits what this returns at its shutdown."""
        self._stopping = True
        self._read_errors.uninstall()
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if self._link is None:
            return None
        return asyncio_utils.create_task(self._stop(self._link), name="traffic mirror: stop", keep_ref=True)

    # --- what the commands use ---

    # No properties in this class: mitmproxy reads every attribute of an addon while it registers it.

    def dispatcher(self) -> Dispatcher:
        """The running dispatcher. Raises CommandError before the start."""
        if self._dispatcher is None or self._dispatcher.program is None:
            raise exceptions.CommandError("the mirror has not started")
        return self._dispatcher

    def spec(self) -> SpecInForce:
        """The spec in force. Raises CommandError before the start."""
        if self._spec is None:
            raise exceptions.CommandError("the mirror has not started")
        return self._spec

    def pause(self, paused: bool) -> None:
        """Stops, or goes on with, making copies."""
        dispatcher = self.dispatcher()
        if dispatcher.paused == paused:
            return
        dispatcher.set_paused(paused)
        logger.info("mirror: %s", "paused" if paused else "resumed")
        self._send_tally()

    # --- what the link tells ---

    def make_setup(self) -> Setup:
        """All a new worker needs."""
        assert self._options is not None
        assert self._spec is not None
        assert self._dispatcher is not None
        self._dispatcher.books.begin_tally()
        return Setup(
            spec=self._spec.spec,
            state=self._spec.state,
            listen=self._options.listen,
            results=self._options.results,
            inspect=self._inspecting(),
            drain=self._options.drain,
            base=self.ledger.counts(),
            verdicts=self._dispatcher.books.verdict_counts(),
            statistics=self.statistics,
            started=self._began,
            parent_proxy=_parent_proxy(ctx.options.mode, ctx.options.upstream_auth),
            seed=self._options.seed,
            restarts=self._link.restarts if self._link else 0,
        )

    def on_frame(self, frame: ToEdge, body: bytes) -> None:
        """Handles a frame from the worker."""
        assert self._dispatcher is not None
        match frame:
            case Ended():
                self._dispatcher.books.end(frame)
            case Judged():
                self._dispatcher.books.judge(frame)
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
        assert self._dispatcher is not None
        self._dispatcher.worker_lost("shutdown" if self._stopping else "worker_lost")

    # --- inside ---

    def _inspecting(self) -> bool:
        assert self._options is not None
        if self._options.inspect == "auto":
            return ctx.master.addons.get("view") is not None
        return self._options.inspect == "on"

    def _configure(self, updated: Iterable[str]) -> None:
        options = parse_options(ctx.options)
        first = self._spec is None
        self._options = options
        if first:
            self._start(options)
        elif "mirror_spec" in updated:
            self.spec().move(options.spec)
        elif changed := sorted(set(_FIXED_AT_START).intersection(updated)):
            logger.warning("mirror: %s: a change takes effect at the next start", ", ".join(changed))
        assert self._dispatcher is not None
        self._dispatcher.offline = options.offline
        if first or "mirror_speed" in updated:
            self._dispatcher.pace = Pace(options.speed, time.monotonic)
        self._dispatcher.adds_authorization = bool(ctx.options.upstream_auth)
        if self.inspection is not None:
            self.inspection.set_limit(options.shown)

    def _start(self, options: Options) -> None:
        check_files(options)
        if options.failed is not None:
            _check_failed(options.failed, ctx.options.rfile)
        self._link = Link(self, asyncio.get_running_loop())
        books = Books(self.ledger)
        self._dispatcher = Dispatcher(self._link, books, Sampler(options.seed, time.monotonic))
        if options.results:
            books.tell = self._link.offer
        if self._inspecting():
            self.inspection = Inspection(asyncio.get_running_loop(), options.shown)
            self._dispatcher.inspection = self.inspection
        self._spec = SpecInForce(options.spec, self._put_in_force, self._spec_refused)
        if options.failed is not None:
            books.failed = FailedCopies(options.failed)
        # Not before mitmproxy has started: one that ends for an error at its start (a port that is taken)
        # cancels every task and calls no `done`, and asyncio waits for ever for a process whose start was
        # cancelled (https://github.com/python/cpython/issues/119710).
        if self._runs:
            self._link.start()

    def _put_in_force(self, spec: Spec, rules: RuleSet) -> None:
        """A spec comes into force: with the next request here, with the next frame in the worker."""
        assert self._options is not None
        assert self._dispatcher is not None
        assert self._link is not None
        first = self._dispatcher.program is None
        self._dispatcher.program = build_program(spec, rules, self._dispatcher.books, self._inspecting())
        self._dispatcher.books.trim(spec)
        for warning in out_of_reach(spec, ctx.options.mode, ctx.options.keep_host_header):
            logger.warning("mirror: %s", warning)
        if not first:
            assert self._spec is not None
            self._link.send(
                Setup(spec, self._spec.state, inspect=self._inspecting(), drain=self._options.drain)
            )

    def _spec_refused(self, state: SpecState) -> None:
        assert self._link is not None
        self._link.send(state)

    def _on_ready(self, frame: Ready) -> None:
        if frame.listen and not ADDRESS.fullmatch(frame.listen):
            raise WireError("found a page at what is no address")
        self.listen, self._token = frame.listen, frame.token
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
            self.spec().reload_soon()

    def _send_tally(self) -> None:
        if self._dispatcher and self._link and (tally := self._dispatcher.books.take_tally()):
            self._link.send(tally)

    async def _send_tallies(self) -> None:
        while True:
            await asyncio.sleep(_TALLY_EVERY)
            self._send_tally()

    async def _stop(self, link: Link) -> None:
        assert self._options is not None
        assert self._dispatcher is not None
        self._send_tally()
        await link.stop(self._options.drain)
        self._dispatcher.worker_lost("shutdown")
        if self.inspection is not None:
            self.inspection.close()
        if self._dispatcher.books.failed is not None:
            await asyncio.to_thread(self._dispatcher.books.failed.close)
        logger.info("mirror: %s", summary_line(self.ledger))
        if self._exit_code:
            asyncio_utils.create_task(
                exit_in_the_end(self._exit_code), name="traffic mirror: exit code", keep_ref=True
            )

    def _on_read_error(self) -> None:
        """What follows in the recording is not mirrored; a test that runs over it must not pass for that."""
        if self._dispatcher is None or not self._dispatcher.offline:
            return
        logger.error(
            "mirror: the recording can't be read past its first %d flows; the rest is not mirrored",
            self._dispatcher.recorded,
        )
        if ctx.master.addons.get("keepserving") is not None and not ctx.options.keepserving:
            self._exit_code = 1

    def _show_progress(self) -> None:
        """Where a recording is mirrored on a terminal; with a filter nobody knows how many flows come."""
        dispatcher, file = self._dispatcher, ctx.options.rfile
        if dispatcher is None or not dispatcher.offline or not file or not sys.stderr.isatty():
            return
        if ctx.master.addons.get("termlog") is None:
            return  # a tool that draws on the terminal itself
        countable = None if file == "-" or ctx.options.readfile_filter else Path(file).expanduser()
        progress = Progress(lambda: dispatcher.recorded, sys.stderr, time.monotonic)
        self._spawn(progress.show(countable), "traffic mirror: progress")

    def _add_page_to_mitmweb(self) -> None:
        application = getattr(ctx.master, "app", None)
        if application is not None:
            from traffic_mirror.edge.web_page import Page, add_page  # noqa: PLC0415 - only where mitmweb runs

            add_page(application, lambda: Page(self.listen, self._token))

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        self._tasks.append(asyncio_utils.create_task(work, name=name, keep_ref=True))  # type: ignore[arg-type]


def _spare_the_collector() -> None:
    """Takes all that is loaded by now out of the garbage collector's sight.

    A full collection stops the proxy for as long as it takes to walk every object, the spec's included:
    tens of milliseconds, about once in a thousand requests (docs/performance.md).
    """
    gc.collect()
    gc.freeze()


def _check_failed(failed: Path, read: str | None) -> None:
    """Copies that fail again must not go where they are read from: that would never end."""
    if read and read != "-" and Path(read).expanduser().resolve() == failed.resolve():
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
