from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks.load import CONNECTIONS
from benchmarks.openloop import Latency, arrivals, generate, percentile, together

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def serve(server: socket.socket, stall: float) -> None:
    """Answers every connection's requests, none before `stall` seconds after the first."""
    go_on = threading.Event()
    began: list[threading.Timer] = []

    def answer(connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                if not began:
                    began.append(threading.Timer(stall, go_on.set))
                    began[0].start()
                go_on.wait(10)
                connection.sendall(ANSWER)

    for _ in range(CONNECTIONS):
        connection, _ = server.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


@contextlib.contextmanager
def serving(stall: float) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        thread = threading.Thread(target=serve, args=(server, stall), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def test_arrivals_have_the_rate_and_the_same_seed_gives_the_same() -> None:
    times = arrivals(1000, 20, 7)
    assert times == arrivals(1000, 20, 7)
    assert times != arrivals(1000, 20, 8)
    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] < 20
    assert len(times) / 20 == pytest.approx(1000, rel=0.05)


def test_arrivals_are_spaced_unevenly_as_clients_come() -> None:
    gaps = [late - early for early, late in itertools.pairwise(arrivals(1000, 20, 7))]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance == pytest.approx(mean**2, rel=0.2)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)],
    ids=["lowest", "p50", "p99", "highest"],
)
def test_percentiles(share: float, expected: int) -> None:
    assert percentile(range(1, 101), share) == expected


def test_every_request_is_answered_and_timed() -> None:
    with serving(stall=0) as port:
        latency = generate(port, 400, 0.5, 1)
    assert len(latency.took) > 100
    assert 0 < latency.p50 <= latency.p99


def test_waiting_for_a_free_connection_counts() -> None:
    """All connections stall for most of the run: what was due meanwhile, and not even sent, must say so."""
    with serving(stall=1.0) as port:
        latency = generate(port, 400, 1.5, 1)
    assert latency.p99 > 0.5
    assert percentile(sorted(latency.late), 0.99) > 0.5


def test_runs_are_summed_up_from_all_their_answers() -> None:
    """The median of medians would be another one."""
    runs = [Latency((1.0, 2.0, 9.0), (0.1,) * 3), Latency((3.0, 4.0), (0.2,) * 2)]
    assert together(runs).p50 == 3.0
    assert together(runs).p99 == 9.0
    assert together(runs).late == (0.1, 0.1, 0.1, 0.2, 0.2)
