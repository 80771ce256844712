"""The addon: mitmproxy's hooks, each handed on to the mirror that is at work."""

from __future__ import annotations

import gc
import logging
from collections.abc import Awaitable
from pathlib import Path

from mitmproxy import addonmanager, contentviews, ctx, exceptions, http

from traffic_mirror.edge.commands import Commands
from traffic_mirror.edge.contentview import MirrorDiff
from traffic_mirror.edge.inspection import find_flow
from traffic_mirror.edge.mirror import Mirror, Page
from traffic_mirror.edge.options import convert_deferred, declare_options, misspelt, parse_options
from traffic_mirror.edge.refusal import refuse
from traffic_mirror.spec.problems import SpecError

logger = logging.getLogger("traffic_mirror")
# mitmproxy's root logger takes DEBUG and formats every record: below INFO ours are for nobody.
logger.setLevel(logging.INFO)


class MirrorAddon:
    """Mirrors flows; built once for each load of the script. There is no mirror before a spec is in force."""

    def __init__(self, default_spec: Path) -> None:
        self.addons = [Commands(self.mirror)]
        self._default_spec = default_spec
        self._mirror: Mirror | None = None
        self._runs = False

    # No properties in this class: mitmproxy reads every attribute of an addon while it registers it.

    def mirror(self) -> Mirror:
        """The mirror at work. Raises CommandError before the start."""
        if self._mirror is None:
            raise exceptions.CommandError("the mirror has not started")
        return self._mirror

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
            options = parse_options(ctx.options)
            if self._mirror is not None:
                self._mirror.change(options, updated)
                return
            self._mirror = Mirror(options)
        except (exceptions.OptionsError, SpecError, OSError) as error:
            refuse(error)
        if self._runs:
            self._mirror.start()

    def running(self) -> None:
        """Starts the mirror, and adds it to mitmproxy's tools."""
        self._runs = True
        for warning in misspelt(ctx.options):
            logger.warning("mirror: %s", warning)
        contentviews.add(MirrorDiff(find_flow))
        self._add_page_to_mitmweb()
        if self._mirror is not None:
            self._mirror.start()
        _spare_the_collector()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Makes ready for a body that may come to be streamed."""
        if self._mirror is not None:
            self._mirror.dispatcher.requestheaders(flow)

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Mirrors the request if a rule takes it."""
        return self._mirror.dispatcher.request(flow) if self._mirror is not None else None

    def response(self, flow: http.HTTPFlow) -> None:
        """Tells how the primary answered."""
        if self._mirror is not None:
            self._mirror.dispatcher.response(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """Tells that the primary did not answer."""
        if self._mirror is not None:
            self._mirror.dispatcher.response(flow)

    def websocket_start(self, flow: http.HTTPFlow) -> None:
        """Mirrors a WebSocket."""
        if self._mirror is not None:
            self._mirror.dispatcher.websocket_start(flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """Mirrors a message on it."""
        if self._mirror is not None:
            self._mirror.dispatcher.websocket_message(flow)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        """Closes its mirror."""
        if self._mirror is not None:
            self._mirror.dispatcher.websocket_end(flow)

    def done(self) -> Awaitable[None] | None:
        """Drains and ends the worker. mitmproxy awaits what this returns at its shutdown."""
        return self._mirror.stop() if self._mirror is not None else None

    # --- inside ---

    def _add_page_to_mitmweb(self) -> None:
        application = getattr(ctx.master, "app", None)
        if application is not None:
            from traffic_mirror.edge.web_page import add_page  # noqa: PLC0415 - only where mitmweb runs

            add_page(application, self._find_page)

    def _find_page(self) -> Page:
        return self._mirror.page if self._mirror is not None else Page()


def _spare_the_collector() -> None:
    """Takes all that is loaded by now out of the garbage collector's sight.

    A full collection stops the proxy for as long as it takes to walk every object, the spec's included:
    tens of milliseconds, about once in a thousand requests (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
