"""A crowd of clients: keep-alive connections that send requests and must get each answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.clients import Client, request

CLIENTS = 4


def visit(port: int, path: str, count: int, body: bytes | None = None, clients: int = CLIENTS) -> list[int]:
    """The statuses that `clients` clients got for `count` requests below `path`."""

    def one(share: int) -> list[int]:
        with Client(port) as client:
            method = "GET" if body is None else "POST"
            return [
                client.exchange(request(f"{path}/{turn}", method=method, body=body)).status
                for turn in range(share)
            ]

    shares = [count // clients + (number < count % clients) for number in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        return [status for answers in pool.map(one, shares) for status in answers]


def visit_until(port: int, path: str, done: Callable[[], object], most: int = 2000) -> int:
    """How many requests it took until `done`; each was answered with 200."""
    with Client(port) as client:
        for turn in range(most):
            assert client.exchange(request(f"{path}/again/{turn}")).status == 200
            if done():
                return turn + 1
    raise AssertionError(f"{most} requests were not enough")
