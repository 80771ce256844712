"""Steady traffic through a proxy: a shop's visitors."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
from collections.abc import Iterator

PAUSE = 0.1  # seconds between requests
VISIT = (
    ("GET", "/users/{n}", None),
    ("GET", "/items/{n}?lang=en", None),
    ("POST", "/orders", b'{"item": 7, "count": 1}'),
    ("GET", "/reports/2026-11-23", None),
    ("GET", "/healthz", None),
)


class Traffic:
    """How many requests were sent and how many of them failed, so far."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self.failed = 0
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    @contextlib.contextmanager
    def flowing(self) -> Iterator[None]:
        """Sends for as long as the block runs."""
        self._thread.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Sends no more; returns once the last request was answered."""
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        requests = itertools.cycle(VISIT)
        while not self._stop.wait(PAUSE):
            method, target, body = next(requests)
            self.sent += 1
            if not self._answered(method, target.format(n=self.sent % 50), body):
                self.failed += 1

    def _answered(self, method: str, target: str, body: bytes | None) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        headers = {"Content-Type": "application/json"} if body else {}
        with contextlib.closing(connection):
            try:
                connection.request(method, target, body, headers)
                return bool(connection.getresponse().read())
            except (OSError, http.client.HTTPException):
                return False
