"""A small shop's API, twice: the primary, and a shadow that is meant to be the same and is not quite."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

PRIMARY_PORT = 9101
SHADOW_PORT = 9102
SLOWER_BY = 0.15  # seconds that the shadow's reports take longer


@contextlib.contextmanager
def service(*, port: int, shadow: bool) -> Iterator[str]:
    """One of the two, on loopback, at another port where `port` is taken; yields its URL."""
    handler = _Shadow if shadow else _Shop
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Shop(BaseHTTPRequestHandler):
    """The primary's answers; everything that is noise to a comparison is in them too."""

    protocol_version = "HTTP/1.1"
    server_version = "shop/1.0"
    sys_version = ""
    disable_nagle_algorithm = True  # head and body go out apart; the body would wait for an acknowledgement
    timeout = 30

    def do_GET(self) -> None:
        self._answer(*self._read(self.path.partition("?")[0].strip("/").split("/")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(201, {"order": str(uuid4()), "bytes_received": len(body), **self._order()})

    def _read(self, path: list[str]) -> tuple[int, dict[str, Any]]:
        match path:
            case ["users", name]:
                return 200, {"id": name, "name": f"User {name}", "tags": ["customer", "news"]}
            case ["items", number]:
                return 200, self._item(number)
            case ["reports", day]:
                return 200, self._report(day)
            case ["healthz"]:
                return 200, {"ok": True}
            case _:
                return 404, {"error": f"no such page: {self.path}"}

    def _item(self, number: str) -> dict[str, Any]:
        return {"id": number, "title": f"Item {number}", "price": 10, "currency": "EUR"}

    def _order(self) -> dict[str, Any]:
        return {"status": "accepted"}

    def _report(self, day: str) -> dict[str, Any]:
        return {"day": day, "sold": 128, "returned": 3}

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        generated = {"generated_at": datetime.now(UTC).isoformat(), "request_id": str(uuid4())}
        body = json.dumps({**document, **generated}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is overridden
        """Says nothing: what happens is seen in the mirror."""


class _Shadow(_Shop):
    """A rewrite of it, with a mistake and a slow page to find."""

    server_version = "shop/2.0"

    def _item(self, number: str) -> dict[str, Any]:
        return {**super()._item(number), "price": 12}

    def _report(self, day: str) -> dict[str, Any]:
        time.sleep(SLOWER_BY)
        return super()._report(day)
