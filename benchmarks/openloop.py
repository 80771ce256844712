"""Open-loop load: requests at a fixed mean rate, whatever the answers do; latency from when each was due.

`python -m benchmarks.openloop PORT RATE SECONDS [SEED]` prints JSON. Arrivals are exponentially spaced (and
the same for the same seed), so that they fall in step with nobody's timers. A request whose turn comes while
all connections are busy waits, and its wait counts: a slow proxy can't hide by being asked less (coordinated
omission).
"""

from __future__ import annotations

import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence

import msgspec

from benchmarks.load import CONNECTIONS, HEADERS

_WARM = 0.2  # share of the arrivals, from the first, whose latency does not count
_PATIENCE = 10.0


class Latency(msgspec.Struct, frozen=True):
    """What was measured, in seconds: how long each answer took, and how late each request was sent."""

    took: tuple[float, ...]
    late: tuple[float, ...]

    @property
    def p50(self) -> float:
        """The median of how long answers took."""
        return percentile(sorted(self.took), 0.5)

    @property
    def p99(self) -> float:
        """What one answer in a hundred took longer than."""
        return percentile(sorted(self.took), 0.99)


def together(runs: Sequence[Latency]) -> Latency:
    """Several runs as one."""
    return Latency(
        tuple(took for run in runs for took in run.took), tuple(late for run in runs for late in run.late)
    )


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """When requests are due, in seconds from the start."""
    draw = random.Random(seed)
    times, now = [], draw.expovariate(rate)
    while now < seconds:
        times.append(now)
        now += draw.expovariate(rate)
    return times


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ordered samples."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def generate(port: int, rate: float, seconds: float, seed: int) -> Latency:
    """Sends, waits for every answer, and sums up. Raises OSError, and TimeoutError when answers stay away."""
    due = arrivals(rate, seconds, seed)
    run = _Run(port, due)
    try:
        run.go()
    finally:
        run.close()
    skip = int(len(due) * _WARM)
    return Latency(tuple(run.took[skip:]), tuple(run.late[skip:]))


class _Run:
    """The loop: `select` for its microseconds, where poll and epoll know milliseconds only."""

    def __init__(self, port: int, due: Sequence[float]) -> None:
        self._due = due
        self._head = _request_head(port)
        self._idle: deque[_Connection] = deque(_Connection(port) for _ in range(CONNECTIONS))
        self._busy: dict[socket.socket, _Connection] = {}
        self.took = [0.0] * len(due)
        self.late = [0.0] * len(due)

    def go(self) -> None:
        began = time.perf_counter() + 0.05
        number, total = 0, len(self._due)
        while number < total or self._busy:
            now = time.perf_counter() - began
            while number < total and self._idle and self._due[number] <= now:
                self._send(number, now)
                number += 1
                now = time.perf_counter() - began
            waiting = number < total and bool(self._idle)
            pause = max(0.0, self._due[number] - now) if waiting else _PATIENCE
            ready, _, _ = select.select(self._busy, (), (), pause)
            if not ready and not waiting:
                raise TimeoutError(f"no answer came for {_PATIENCE:g} s")
            now = time.perf_counter() - began
            for sock in ready:
                self._receive(self._busy[sock], now)

    def close(self) -> None:
        for connection in [*self._idle, *self._busy.values()]:
            connection.socket.close()

    def _send(self, number: int, now: float) -> None:
        connection = self._idle.popleft()
        connection.number = number
        connection.socket.sendall(self._head)
        self.late[number] = now - self._due[number]
        self._busy[connection.socket] = connection

    def _receive(self, connection: _Connection, now: float) -> None:
        if connection.answer_is_whole():
            self.took[connection.number] = now - self._due[connection.number]
            del self._busy[connection.socket]
            self._idle.append(connection)


class _Connection:
    """A keep-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = 0
        self._got = b""

    def answer_is_whole(self) -> bool:
        """Reads what there is; True when that ends the answer."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the proxy closed a connection")
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return False
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"the proxy answered {head[:40]!r}")
        self._got = b""
        return True


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _request_head(port: int) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in HEADERS)
    return f"GET /items/42?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}\r\n".encode()


if __name__ == "__main__":
    port, rate, seconds, seed = (*sys.argv[1:], "1")[:4]
    result = generate(int(port), float(rate), float(seconds), int(seed))
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
