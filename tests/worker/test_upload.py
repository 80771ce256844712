"""Bodies that come in pieces go on to every destination as they come, each within its bound."""

from __future__ import annotations

import socket
import threading
from typing import BinaryIO

import pytest

from tests.http1 import Message
from tests.servers import Connection, RecordingServer, never, resetting, response
from tests.waiting import wait_until
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.wire.frames import Chunk, ChunkEnd


class Early(RecordingServer):
    """Behaves as soon as some of the body is there."""

    def _converse(self, connection: Connection, reader: BinaryIO) -> None:
        reader.readline()
        reader.readline()
        self.behaviour(connection, Message(b""))


CHUNKED = ((b"Transfer-Encoding", b"chunked"),)


def sized(size: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"Content-Length", str(size).encode()),)


@pytest.mark.parametrize("headers", [CHUNKED, sized(30)], ids=["chunked", "known-length"])
def test_pieces_arrive_as_one_body(worker: WorkerProcess, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    with RecordingServer() as server:
        worker.set_up(spec_of(destination(server.url)))
        worker.mirror(request(method=b"PUT", headers=headers), streamed=True)
        for piece in (b"0" * 10, b"1" * 10, b"2" * 10):
            worker.send(Chunk("f1"), piece)
        worker.send(ChunkEnd("f1"))
        assert worker.wait_for_endings(1)[1][1:3] == ("delivered", "2xx")
        (got,) = server.requests
        assert got.body == b"0" * 10 + b"1" * 10 + b"2" * 10
        assert got.header("content-length") == (None if headers == CHUNKED else b"30")
        assert got.header("transfer-encoding") == (b"chunked" if headers == CHUNKED else None)


@pytest.mark.parametrize("first", [CHUNKED, sized(3)], ids=["encoding-first", "length-first"])
def test_of_a_length_and_chunks_the_chunks_count(
    worker: WorkerProcess, first: tuple[tuple[bytes, bytes], ...]
) -> None:
    """As the proxy read it, where it was told to take such requests."""
    both = first + (sized(3) if first is CHUNKED else CHUNKED)
    with RecordingServer() as server:
        worker.set_up(spec_of(destination(server.url)))
        worker.mirror(request(method=b"PUT", headers=both), streamed=True)
        worker.send(Chunk("f1"), b"x" * 100)
        worker.send(ChunkEnd("f1"))
        worker.wait_for_endings(1)
        (got,) = server.requests
        assert (got.body, got.header("content-length")) == (b"x" * 100, None)


def test_pieces_are_sent_before_the_last_one_is_there(worker: WorkerProcess) -> None:
    with RecordingServer() as server:
        worker.set_up(spec_of(destination(server.url)))
        worker.mirror(request(method=b"PUT", headers=CHUNKED), streamed=True)
        worker.send(Chunk("f1"), b"x" * 1000)
        wait_until(lambda: server.connections == 1)
        worker.send(ChunkEnd("f1"))
        worker.wait_for_endings(1)


def test_a_slow_destination_is_dropped_and_the_others_go_on(worker: WorkerProcess) -> None:
    with RecordingServer() as good, socket.create_server(("127.0.0.1", 0)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        url = f"http://127.0.0.1:{slow.getsockname()[1]}"
        worker.set_up(
            spec_of(
                destination(url, "slow", stream_buffer=1_000_000),
                destination(good.url, "good", stream_buffer=100_000_000),
            )
        )
        worker.mirror(request(method=b"PUT", headers=CHUNKED), destinations=2, streamed=True)
        for _ in range(300):
            worker.send(Chunk("f1"), b"x" * 65536)
        worker.send(ChunkEnd("f1"))
        ended = worker.wait_for_endings(2)
        assert ended[1][1:3] == ("dropped", "slow")
        assert ended[2][1:3] == ("delivered", "2xx")
        assert len(good.requests[0].body) == 300 * 65536


@pytest.mark.parametrize("aborted", ["client_gone", "edge_full"])
def test_an_aborted_body_ends_its_copies(worker: WorkerProcess, aborted: str) -> None:
    with RecordingServer() as server:
        worker.set_up(spec_of(destination(server.url), destination(server.url, "other", max_in_flight=1)))
        worker.mirror(request(method=b"PUT", headers=sized(1000)), destinations=2, streamed=True)
        worker.send(Chunk("f1"), b"x")
        worker.send(ChunkEnd("f1", aborted=aborted))
        assert [e[1:3] for e in worker.wait_for_endings(2).values()] == [("dropped", aborted)] * 2


def test_a_copy_that_waits_keeps_what_comes_meanwhile(worker: WorkerProcess) -> None:
    with RecordingServer() as server:
        worker.set_up(spec_of(destination(server.url, max_in_flight=1)))
        worker.mirror(request(method=b"PUT", headers=CHUNKED, flow="a"), streamed=True)
        worker.mirror(request(method=b"PUT", headers=CHUNKED, flow="b"), streamed=True)
        worker.send(Chunk("b"), b"second")
        worker.send(ChunkEnd("b"))
        worker.send(Chunk("a"), b"first")
        worker.send(ChunkEnd("a"))
        worker.wait_for_endings(2)
        assert [got.body for got in server.requests] == [b"first", b"second"]


def test_a_destination_that_never_answers_an_upload_times_out_after_its_end(worker: WorkerProcess) -> None:
    with RecordingServer(never) as server:
        worker.set_up(spec_of(destination(server.url, timeout=0.5)))
        worker.mirror(request(method=b"PUT", headers=sized(1)), streamed=True)
        worker.send(Chunk("f1"), b"x")
        worker.send(ChunkEnd("f1"))
        assert worker.wait_for_endings(1)[1][1:3] == ("failed", "timeout")


def test_an_early_answer_is_an_answer(worker: WorkerProcess) -> None:
    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(response(413, b"too large", [("Connection", "close")]))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener,))
        thread.start()
        worker.set_up(spec_of(destination(f"http://127.0.0.1:{listener.getsockname()[1]}")))
        worker.mirror(request(method=b"PUT", headers=CHUNKED), streamed=True)
        for _ in range(10):
            worker.send(Chunk("f1"), b"x" * 10_000)
        assert worker.wait_for_endings(1)[1][1:3] == ("delivered", "4xx")
        thread.join(5)


def test_a_destination_that_ends_early_costs_the_others_no_piece(worker: WorkerProcess) -> None:
    """libcurl is through with such a copy a moment before its end is told, while pieces go on coming."""
    answering = threading.Semaphore(0)

    def behave(connection: Connection, _: Message) -> None:
        answering.release()
        connection.send(response(413, b"too large", [("Connection", "close")]))

    body = [b"%08d" % number for number in range(300)]
    with Early(behave) as early, RecordingServer() as good:
        worker.set_up(spec_of(destination(early.url, "early"), destination(good.url, "good")))
        for flow in range(40):
            worker.mirror(request(b"/%d" % flow, b"PUT", CHUNKED, f"f{flow}"), destinations=2, streamed=True)
            worker.send(Chunk(f"f{flow}"), body[0])
            assert answering.acquire(timeout=10)
            for piece in body[1:]:
                worker.send(Chunk(f"f{flow}"), piece)
            worker.send(ChunkEnd(f"f{flow}"))
        ended = worker.wait_for_endings(80)
        assert {ended[number][1:3] for number in range(2, 81, 2)} == {("delivered", "2xx")}
        assert {got.body for got in good.requests} == {b"".join(body)}
        assert "Traceback" not in "".join(worker.log)


def test_a_reset_upload_failed(worker: WorkerProcess) -> None:
    with RecordingServer(resetting) as server:
        worker.set_up(spec_of(destination(server.url)))
        worker.mirror(request(method=b"PUT", headers=sized(2)), streamed=True)
        worker.send(Chunk("f1"), b"xy")
        worker.send(ChunkEnd("f1"))
        assert worker.wait_for_endings(1)[1][1:3] == ("failed", "reset")


def test_uploads_that_cannot_end_are_dropped_at_once_on_a_stop(worker: WorkerProcess) -> None:
    with RecordingServer() as server:
        worker.set_up(spec_of(destination(server.url)))
        worker.mirror(request(method=b"PUT", headers=CHUNKED), streamed=True)
        worker.send(Chunk("f1"), b"x")
        assert worker.stop(drain=60.0, timeout=10) == 0
        assert worker.endings[1][1:3] == ("dropped", "shutdown")


def test_pieces_of_unknown_flows_are_ignored(worker: WorkerProcess) -> None:
    with RecordingServer() as server:
        worker.set_up(spec_of(destination(server.url)))
        worker.send(Chunk("nobody"), b"x")
        worker.send(ChunkEnd("nobody"))
        worker.mirror(request())
        assert worker.wait_for_endings(1)[1].outcome == "delivered"


def test_trailers_follow_a_chunked_body(worker: WorkerProcess) -> None:
    with RecordingServer() as server:
        worker.set_up(spec_of(destination(server.url)))
        worker.mirror(request(method=b"PUT", headers=CHUNKED), streamed=True)
        worker.send(Chunk("f1"), b"x")
        worker.send(ChunkEnd("f1", trailers=((b"X-Sum", b"1"),)))
        assert worker.wait_for_endings(1)[1].outcome == "delivered"
        assert server.requests[0].raw_body.endswith(b"0\r\nX-Sum: 1\r\n\r\n")
