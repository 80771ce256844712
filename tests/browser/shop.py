"""The shop that browser tests look at: a mirror, its spec and its servers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients import Client, request
from tests.proxies import PASSWORD, Proxy
from tests.servers import RecordingServer

_SPEC = """\
version: 1
destinations:
  shadow: {{url: "{shadow}", headers: {{Authorization: "Bearer not-for-eyes"}}}}
  twin: {{url: "{twin}"}}
  nobody: {{url: "{nobody}"}}
apis:
  - name: shop
    traffic_mirror:
      - {{name: item, path: "/items/{{id}}", method: GET, destinations: [shadow, twin]}}
      - {{name: order, path: /orders, method: POST, destinations: [nobody]}}
      - {{name: never, path: /never, destinations: [twin]}}
"""


@dataclass
class Shop:
    """`sent` is how many copies its clients' requests have led to."""

    proxy: Proxy
    spec: Path
    shadow: RecordingServer
    twin: RecordingServer
    sent: int = 0

    @staticmethod
    def spec_text(shadow: str, twin: str, nobody: str) -> str:
        return _SPEC.format(shadow=shadow, twin=twin, nobody=nobody)

    @property
    def web(self) -> str:
        """The address of mitmweb."""
        return f"http://127.0.0.1:{self.proxy.web_port}"

    @property
    def web_login(self) -> str:
        return f"{self.web}/?token={PASSWORD}"

    def browse(self, items: int, orders: int = 0) -> dict[str, Any]:
        """Clients look at items and order; returns the summary once all copies have ended."""
        with Client(self.proxy.port) as client:
            for number in range(items):
                client.exchange(request(f"/items/{number}?lang=en"))
            for _ in range(orders):
                client.exchange(request("/orders", method="POST", body=b'{"item": 7}'))
        self.sent += 2 * items + orders
        return self.proxy.settled(self.sent)
