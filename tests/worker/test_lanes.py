"""Queues, bounds, deadlines and breakers of a destination, seen from outside."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.servers import Gate, RecordingServer, answering, never, refused_port
from tests.waiting import wait_until
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.spec.model import CircuitBreaker, Queue, WhenFull

NO_BREAKER = CircuitBreaker(of=100_000)


@pytest.mark.parametrize(
    ("when_full", "dropped", "kept"),
    [("drop_newest", {4, 5, 6}, {2, 3}), ("drop_oldest", {2, 3, 4}, {5, 6})],
)
def test_a_full_queue_drops_the_newest_or_the_oldest(
    when_full: WhenFull, dropped: set[int], kept: set[int]
) -> None:
    gate = Gate()
    queue = Queue(copies=2, when_full=when_full)
    with RecordingServer(gate) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, max_in_flight=1, queue=queue)))
        worker.mirror(request())
        server.wait_for(1)
        for _ in range(5):
            worker.mirror(request())
        ended = worker.wait_for_endings(3)
        assert {n for n, e in ended.items() if e[1:3] == ("dropped", "queue_full")} == dropped
        gate.open()
        ended = worker.wait_for_endings(6)
        assert {n for n, e in ended.items() if e.outcome == "delivered"} == {1, *kept}


def test_the_queue_is_bounded_in_bytes_too() -> None:
    gate = Gate()
    with RecordingServer(gate) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, max_in_flight=1, queue=Queue(bytes=100_000))))
        for _ in range(4):
            worker.mirror(request(method=b"POST"), b"x" * 60_000)
        assert Counter(e.reason for e in worker.wait_for_endings(2).values()) == {"queue_full": 2}
        gate.open()
        assert Counter(e.outcome for e in worker.wait_for_endings(4).values()) == {
            "dropped": 2,
            "delivered": 2,
        }


def test_large_bodies_under_way_are_bounded_by_the_queues_bytes() -> None:
    gate = Gate()
    with RecordingServer(gate) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, max_in_flight=10, queue=Queue(bytes=1_000_000))))
        for _ in range(4):
            worker.mirror(request(method=b"POST"), b"x" * 400_000)
        server.wait_for(2)
        gate.open()
        assert Counter(e.outcome for e in worker.wait_for_endings(4).values()) == {"delivered": 4}
        assert server.connections == 2


def test_no_more_than_max_in_flight_are_sent_at_once() -> None:
    gate = Gate()
    with RecordingServer(gate) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, max_in_flight=3)))
        for _ in range(10):
            worker.mirror(request())
        server.wait_for(3)
        gate.open()
        worker.wait_for_endings(10)
        assert server.connections == 3


def test_a_copy_that_waits_too_long_is_dropped_though_nothing_moves() -> None:
    with RecordingServer(never) as server, WorkerProcess() as worker:
        worker.set_up(
            spec_of(destination(server.url, max_in_flight=1, timeout=0.5, circuit_breaker=NO_BREAKER))
        )
        for _ in range(3):
            worker.mirror(request())
        ended = worker.wait_for_endings(3)
        assert ended[1][1:3] == ("failed", "timeout")
        assert {ended[2][1:3], ended[3][1:3]} <= {("dropped", "deadline")}


def test_one_destination_down_does_not_touch_another() -> None:
    with RecordingServer() as up, RecordingServer(never) as down, WorkerProcess() as worker:
        worker.set_up(
            spec_of(
                destination(down.url, "down", timeout=60.0, queue=Queue(copies=10), max_in_flight=2),
                destination(up.url, "up"),
            )
        )
        for _ in range(100):
            worker.mirror(request(), destinations=2)
        wait_until(lambda: len(up.requests) == 100)
        ended = worker.wait_for_endings(100 + 88)
        assert Counter(e[1:3] for e in ended.values()) == {
            ("delivered", "2xx"): 100,
            ("dropped", "queue_full"): 88,
        }


def test_the_breaker_opens_and_the_destination_recovers_by_itself() -> None:
    breaker = CircuitBreaker(failures=0.5, of=4, within=60.0, open_for=0.3)
    with refused_port() as port:
        where = destination(f"http://127.0.0.1:{port}", circuit_breaker=breaker)
        worker = WorkerProcess()
        worker.__enter__()
        try:
            worker.set_up(spec_of(where))
            for number in range(1, 5):
                worker.mirror(request())
                assert worker.wait_for_endings(number)[number][1:3] == ("failed", "connect")
            worker.mirror(request())
            assert worker.wait_for_endings(5)[5][1:3] == ("dropped", "breaker_open")
        except BaseException:
            worker.__exit__(None, None, None)
            raise
    with worker, RecordingServer(port=port):

        def is_delivered() -> bool:
            number = worker.mirror(request())[0]
            return worker.wait_for_endings(number)[number].outcome == "delivered"

        wait_until(is_delivered)
        worker.stop()
        changes = [line for line in worker.log if "breaker" in line]
        assert [line.split()[0] for line in changes] == ["WARNING", "INFO"]
        assert "open, 4 of the last 4 copies failed (the last one: connect: Failed" in changes[0]


def test_a_reload_keeps_the_connections_of_unchanged_destinations() -> None:
    with (
        RecordingServer() as same,
        RecordingServer() as gone,
        RecordingServer() as new,
        WorkerProcess() as worker,
    ):
        worker.set_up(spec_of(destination(same.url, "a"), destination(gone.url, "b")))
        worker.mirror(request(), destinations=2)
        worker.wait_for_endings(2)
        worker.set_up(spec_of(destination(same.url, "a"), destination(new.url, "b")))
        worker.mirror(request(), destinations=2)
        worker.wait_for_endings(4)
        assert (same.connections, gone.connections, new.connections) == (1, 1, 1)
        assert (len(same.requests), len(gone.requests), len(new.requests)) == (2, 1, 1)


def test_copies_under_way_finish_under_the_spec_they_began_with() -> None:
    gate = Gate(answering(201))
    with RecordingServer(gate) as old, RecordingServer() as new, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(old.url, max_in_flight=1)))
        worker.mirror(request())
        worker.mirror(request())
        old.wait_for(1)
        worker.set_up(spec_of(destination(new.url)))
        worker.mirror(request())
        assert worker.wait_for_endings(1)[3].outcome == "delivered"
        gate.open()
        worker.wait_for_endings(3)
        assert (len(old.requests), len(new.requests)) == (2, 1)
