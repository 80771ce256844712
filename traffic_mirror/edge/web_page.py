"""The page under mitmweb: `/mirror`, behind mitmweb's own login, passed on from the worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import tornado.httpclient
import tornado.web
from mitmproxy.tools.web import app

from traffic_mirror.edge.mirror import Page

_LIMIT = 5.0  # seconds
_HEADER = "X-Traffic-Mirror-Page"
_PASSED_ON = ("Content-Type", "Cache-Control")


FindPage = Callable[[], Page]


def add_page(application: app.Application, find: FindPage) -> None:
    """Adds the page to mitmweb."""
    shared = {"find": find}
    application.add_handlers(r".*", [(r"/mirror", _Redirect), (r"/mirror/(.*)", _Pages, shared)])


class _Redirect(tornado.web.RequestHandler):
    """Tells nothing, so it asks for no password: the page does."""

    def get(self) -> None:
        self.redirect(f"/mirror/?{self.request.query}" if self.request.query else "/mirror/")


class _Pages(app.RequestHandler):
    """Passes a question to the worker and its answer back."""

    _find: FindPage

    def initialize(self, find: FindPage) -> None:
        self._find = find

    def check_xsrf_cookie(self) -> None:
        """The page's own header: no other site can send it without asking first, and nobody answers that."""
        if self.path_args == [""]:
            super().check_xsrf_cookie()
        elif _HEADER not in self.request.headers:
            raise tornado.web.HTTPError(403, reason=f"{_HEADER} is missing")

    def auth_fail(self, invalid_password: bool) -> None:
        """mitmweb's own login form for the page, words for the rest."""
        if self.path_args == [""]:
            self.render("login.html", invalid_password=invalid_password)
        else:
            self.finish("Log in to mitmweb first, then come back.")

    async def get(self, path: str) -> None:
        await self._pass_on(path, "GET", None)

    async def post(self, path: str) -> None:
        if not path:  # the login form
            self.redirect("/mirror/")
            return
        await self._pass_on(path, "POST", self.request.body)

    async def _pass_on(self, path: str, method: str, body: bytes | None) -> None:
        page = self._find()
        if not page.listen:
            self.set_status(503)
            self.finish("The status page is off: mirror_listen is empty, or its address is taken.")
            return
        headers = {"Content-Type": self.request.headers.get("Content-Type", "")}
        if page.token:
            headers["Authorization"] = f"Bearer {page.token}"
        query = urlencode([pair for pair in parse_qsl(self.request.query, True) if pair[0] != "token"])
        request: Any = tornado.httpclient.HTTPRequest(
            f"http://{_reachable(page.listen)}/{path}?{query}",
            method,
            headers,
            body,
            request_timeout=_LIMIT,
            follow_redirects=False,
        )
        try:
            answer = await tornado.httpclient.AsyncHTTPClient().fetch(request, raise_error=False)
        except OSError as error:
            self.set_status(502)
            self.finish(f"The worker does not answer: {error}")
            return
        self.set_status(answer.code if answer.code < 599 else 502)
        for name in _PASSED_ON:
            if name in answer.headers:
                self.set_header(name, answer.headers[name])
        self.finish(answer.body or b"")


def _reachable(listen: str) -> str:
    """An address that listens on every interface, as it is reached from this machine."""
    host, _, port = listen.rpartition(":")
    everywhere = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - compared, not bound
    return f"{everywhere.get(host, host)}:{port}"
