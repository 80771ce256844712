"""A worker process sends what it is told to and says how each copy ended."""

from __future__ import annotations

import pytest

from tests.servers import RecordingServer, answering
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.wire.frames import Shown


def test_a_copy_is_delivered_and_acknowledged() -> None:
    with RecordingServer() as server, WorkerProcess() as worker:
        ready = worker.set_up(spec_of(destination(server.url)))
        assert ready.pid == worker.process.pid
        worker.mirror(request(b"/a/../b c?x"))
        ending = worker.wait_for_endings(1)[1]
        assert ending[:3] == (1, "delivered", "2xx")
        assert ending.seconds > 0
        assert server.requests[0].target == b"/a/../b c?x"
        assert worker.stop() == 0


@pytest.mark.parametrize("status", [200, 201, 302, 404, 503])
def test_the_reason_is_the_status_class(status: int) -> None:
    with RecordingServer(answering(status, headers=[("Location", "/elsewhere")])) as server:
        with WorkerProcess() as worker:
            worker.set_up(spec_of(destination(server.url)))
            worker.mirror(request())
            assert worker.wait_for_endings(1)[1].reason == f"{status // 100}xx"
        assert len(server.requests) == 1


def test_an_answer_too_large_to_be_shown_is_not_shown_as_none() -> None:
    with RecordingServer(answering(200, b"x" * 1_500_000)) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url)), inspect=True)
        worker.mirror(request())
        worker.wait_for(Shown)
        (frame,) = worker.frames(Shown)
        (body,) = worker.bodies(Shown)
    assert 0 < frame.first_byte <= frame.seconds
    assert body == b"(a body of more bytes than are kept)"
