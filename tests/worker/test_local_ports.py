"""A machine without a free local port: copies fail for that, and the destination's breaker counts none."""

from __future__ import annotations

import pytest

from tests.namespaces import namespace
from tests.servers import RecordingServer
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.spec.model import CircuitBreaker

PORT, ONLY = 9000, 40000


@pytest.mark.needs("netns")
def test_a_lack_of_ports_is_not_held_against_a_destination() -> None:
    with (
        namespace() as inside,
        RecordingServer(listener=inside.listener(PORT)) as server,
        WorkerProcess(inside.prefix) as worker,
    ):
        worker.set_up(spec_of(destination(server.url, circuit_breaker=CircuitBreaker(of=2))))
        inside.local_ports(ONLY, ONLY)
        with inside.connection(PORT):
            for _ in range(4):
                assert worker.wait_for_end(worker.mirror(request())[0]) == ("failed", "no_socket")
            inside.local_ports(ONLY, ONLY + 100)
            assert worker.wait_for_end(worker.mirror(request())[0]) == ("delivered", "2xx")
