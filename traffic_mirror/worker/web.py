"""The worker's HTTP server: metrics, figures as JSON, the page, and the page's switch."""

from __future__ import annotations

import hmac
import logging
import mimetypes
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from traffic_mirror.worker import metrics
from traffic_mirror.worker.address import Address, is_loopback, is_own_host
from traffic_mirror.worker.door import Door
from traffic_mirror.worker.page_data import PageData
from traffic_mirror.worker.view import View

PAGE = Path(__file__).with_name("page_files")
ACTIONS = ("pause", "resume", "reload")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MAX_REQUEST = 64 * 1024
_PATIENCE = 10  # seconds for a request's head, a request's body, and between requests

# What is wrong with a request is told to who sent it: here it would be a line for each, the token in some.
logging.getLogger("tornado.general").setLevel(logging.ERROR)

Control = Callable[[str], None]


class Web:
    """Serves `view` on a socket that listens at `address`; `control` takes the page's wishes.

    Where others than this machine can reach it, everything but `/healthz` asks for `token`: as
    `Authorization: Bearer`, or once as `?token=`, which sets a cookie.
    """

    def __init__(self, view: View, page: PageData, control: Control, address: Address, token: str) -> None:
        needed = "" if is_loopback(address.host) else token
        shared = {"view": view, "page": page, "control": control, "address": address, "token": needed}
        self._server = HTTPServer(
            Application(
                [
                    (r"/metrics", _Metrics, shared),
                    (r"/healthz", _Health, shared),
                    (r"/api/(summary|differences|latencies|noise|failures)", _Figures, shared),
                    (r"/api/page/([a-z]+)", _Question, shared),
                    (r"/api/control", _Control, shared),
                    (r"/", _Page, shared),
                    (r"/(assets/[A-Za-z0-9_-][A-Za-z0-9_.-]*)", _Page, shared),
                ],
                log_function=_no_log,
                default_handler_class=_Nothing,
                default_handler_args=shared,
            ),
            max_body_size=_MAX_REQUEST,
            max_header_size=_MAX_REQUEST,
            idle_connection_timeout=_PATIENCE,
            body_timeout=_PATIENCE,
        )

        self._door: Door | None = None

    def serve(self, sock: socket.socket) -> None:
        """Begins to answer."""
        self._door = Door(sock, self._server.handle_stream)

    async def close(self) -> None:
        """Closes the socket and every connection."""
        if self._door is not None:
            self._door.close()
        await self._server.close_all_connections()


class _Handler(RequestHandler):
    view: View
    page: PageData
    control: Control
    address: Address
    token: str

    def initialize(self, **shared: Any) -> None:
        self.__dict__.update(shared)

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.clear_header("Server")

    def prepare(self) -> None:
        if not is_own_host(self.request.headers.get("Host", ""), self.address):
            raise HTTPError(403, reason="Host header names another site")
        if self.token and not self._knows_token():
            raise HTTPError(401, reason="Token missing, see the log")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {self._reason}\n")

    def _knows_token(self) -> bool:
        given = self.get_query_argument("token", "")
        if hmac.compare_digest(given.encode(), self.token.encode()):
            self.set_cookie("mirror_token", self.token, httponly=True, samesite="Strict")
            return True
        bearer = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        cookie = self.get_cookie("mirror_token") or ""
        return any(hmac.compare_digest(held.encode(), self.token.encode()) for held in (bearer, cookie))


class _Metrics(_Handler):
    def get(self) -> None:
        self.set_header("Content-Type", metrics.CONTENT_TYPE)
        self.finish(metrics.render(self.view))


class _Health(_Handler):
    def prepare(self) -> None:
        """Open to all: it tells nothing but that the worker runs."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("ok\n")


class _Figures(_Handler):
    def get(self, what: str) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(getattr(self.view, what)()))


class _Question(_Handler):
    def get(self, question: str) -> None:
        arguments = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        try:
            answer = self.page.answer(question, arguments)
        except KeyError as error:
            raise HTTPError(404) from error
        except ValueError as error:
            raise HTTPError(400, reason=str(error)) from error
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(answer))


class _Control(_Handler):
    def post(self) -> None:
        """Takes `{"action": …}` as JSON: a type that no other site's form can send unasked."""
        if self.request.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            raise HTTPError(415, reason="Expected application/json")
        try:
            action = msgspec.json.decode(self.request.body, type=dict[str, str]).get("action", "")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise HTTPError(400, reason="Expected an object with an action") from error
        if action not in ACTIONS:
            raise HTTPError(400, reason=f"Expected one of {', '.join(ACTIONS)}")
        self.control(action)
        self.set_status(202)
        self.finish()


class _Page(_Handler):
    def get(self, name: str = "index.html") -> None:
        file = PAGE / name
        if file.is_file():
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            self.set_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
            self.finish(file.read_bytes())
        else:
            raise HTTPError(404)


class _Nothing(_Handler):
    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404)


def _no_log(_: RequestHandler) -> None:
    """A page that asks every second is no news."""
