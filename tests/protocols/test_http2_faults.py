"""HTTP/2 destinations that misbehave: each costs its own copy, and none the worker."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from hyperframe.frame import GoAwayFrame

from tests.servers import RecordingServer, sending
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.copies.request import Fields

Answer = Callable[[h2.connection.H2Connection, int], None]


def answering(
    *fields: tuple[str, str], body: bytes = b"", trailers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """Always the same answer."""

    def answer(connection: h2.connection.H2Connection, stream: int) -> None:
        connection.send_headers(stream, list(fields), end_stream=not body and not trailers)
        if body:
            connection.send_data(stream, body, end_stream=not trailers)
        if trailers:
            connection.send_headers(stream, list(trailers), end_stream=True)

    return answer


def unmodified(connection: h2.connection.H2Connection, stream: int) -> None:
    """The length is the one that a 200 would have (RFC 9110, section 8.6)."""
    connection.send_headers(stream, [(":status", "304"), ("content-length", "5")])
    connection.end_stream(stream)


def interim(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.send_headers(stream, [(":status", "103"), ("link", "x")])
    connection.send_headers(stream, [(":status", "200")], end_stream=True)


def reset(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.reset_stream(stream, 2)


def reset_in_the_body(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.send_headers(stream, [(":status", "200")])
    connection.send_data(stream, b"half")
    connection.reset_stream(stream, 2)


def enough(*more: tuple[str, str]) -> Answer:
    """The answer is there, but its end is left out."""

    def answer(connection: h2.connection.H2Connection, stream: int) -> None:
        connection.send_headers(stream, [(":status", "413"), *more])
        connection.send_data(stream, b"no")
        connection.reset_stream(stream, 0)

    return answer


def go_away(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.close_connection(last_stream_id=0)


def part_in_peace(connection: h2.connection.H2Connection, stream: int) -> None:
    """No more requests after this one, as nginx says it before it answers."""
    connection._prepare_for_sending([GoAwayFrame(last_stream_id=stream)])
    answering((":status", "200"), body=b"x")(connection, stream)


def huge_head(connection: h2.connection.H2Connection, stream: int) -> None:
    many = [(f"x-{number}", "x" * 8000) for number in range(200)]
    connection.send_headers(stream, [(":status", "200"), *many], end_stream=True)


GRPC = ((":status", "200"), ("content-type", "application/grpc+proto"))
CASES: dict[str, tuple[Answer, str, str]] = {
    "whole": (answering((":status", "200"), body=b"x"), "delivered", "2xx"),
    "empty": (answering((":status", "204")), "delivered", "2xx"),
    "not-modified": (answering((":status", "304"), ("content-length", "5")), "delivered", "3xx"),
    "too-short": (answering((":status", "200"), ("content-length", "5"), body=b"x"), "failed", "protocol"),
    "not-modified-with-a-data-frame": (unmodified, "delivered", "3xx"),
    "trailers": (answering((":status", "404"), body=b"x", trailers=(("x-t", "1"),)), "delivered", "4xx"),
    "interim-first": (interim, "delivered", "2xx"),
    "parts-in-peace": (part_in_peace, "delivered", "2xx"),
    "no-status": (answering(("x", "y"), body=b"x"), "failed", "protocol"),
    "no-number": (answering((":status", "abc"), body=b"x"), "failed", "protocol"),
    "no-such-status": (answering((":status", "0200"), body=b"x"), "failed", "protocol"),
    "two-statuses": (answering((":status", "200"), (":status", "200"), body=b"x"), "failed", "protocol"),
    "blanks-around-a-value": (answering((":status", "200"), ("x", " y ")), "delivered", "2xx"),
    "blanks-in-trailers": (
        answering((":status", "200"), body=b"x", trailers=(("x-t", " 1 "),)),
        "delivered",
        "2xx",
    ),
    "a-name-that-is-none": (answering((":status", "200"), ("x y", "z")), "delivered", "2xx"),
    "a-value-that-is-none": (answering((":status", "200"), ("x", "y\0z")), "delivered", "2xx"),
    "reset": (reset, "failed", "protocol"),
    "reset-in-the-body": (reset_in_the_body, "failed", "protocol"),
    "reset-without-an-answer": (
        lambda connection, stream: connection.reset_stream(stream, 0),
        "failed",
        "protocol",
    ),
    "reset-for-it-has-enough": (enough(), "delivered", "4xx"),
    "reset-after-a-body-of-known-length": (enough(("content-length", "2")), "delivered", "4xx"),
    "reset-within-a-body-of-known-length": (enough(("content-length", "9")), "failed", "reset"),
    "grpc-ok": (answering(*GRPC, body=b"x", trailers=(("grpc-status", "0"),)), "delivered", "grpc_0"),
    "grpc-trailers-only": (answering(*GRPC, ("grpc-status", "14")), "delivered", "grpc_14"),
    "grpc-unheard-of": (answering(*GRPC, ("grpc-status", "9" * 50)), "delivered", "grpc_other"),
    "grpc-without-status": (answering(*GRPC, body=b"x"), "failed", "protocol"),
    "grpc-behind-a-broken-gateway": (answering((":status", "502"), GRPC[1]), "delivered", "5xx"),
}


@contextlib.contextmanager
def server(answer: Answer, *, early: bool = False) -> Iterator[str]:
    """An HTTP/2 server (prior knowledge) with this answer to everything, to its head where it is `early`; its
    URL."""
    when = h2.events.RequestReceived if early else h2.events.StreamEnded
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, answer, when), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _serve(listener: socket.socket, answer: Answer, when: type[h2.events.Event]) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_converse, args=(sock, answer, when), daemon=True).start()


def _converse(sock: socket.socket, answer: Answer, when: type[h2.events.Event]) -> None:
    config = h2.config.H2Configuration(client_side=False, validate_outbound_headers=False)
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    with sock, contextlib.suppress(OSError, h2.exceptions.ProtocolError):
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, when):
                    assert isinstance(event, h2.events.RequestReceived | h2.events.StreamEnded)
                    answer(connection, event.stream_id)
            sock.sendall(connection.data_to_send())


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerProcess]:
    with WorkerProcess() as running:
        yield running
        assert running.stop() == 0


# Copies with trailers are not libcurl's.
BY_WHOM = pytest.mark.parametrize("trailers", [(), ((b"x-sum", b"5"),)], ids=["", "of-trailers"])


@BY_WHOM
@pytest.mark.parametrize(("answer", "outcome", "reason"), CASES.values(), ids=CASES)
def test_an_answer(
    worker: WorkerProcess, answer: Answer, outcome: str, reason: str, trailers: Fields
) -> None:
    with server(answer) as url:
        worker.set_up(spec_of(destination(url, http_version="2", timeout=2.0)))
        assert worker.wait_for_end(worker.mirror(request(trailers=trailers))[0]) == (outcome, reason)


@BY_WHOM
@pytest.mark.parametrize("answer", [go_away, huge_head], ids=["goes-away", "huge-head"])
def test_what_is_no_answer_fails(worker: WorkerProcess, answer: Answer, trailers: Fields) -> None:
    with server(answer) as url:
        worker.set_up(spec_of(destination(url, http_version="2", timeout=2.0)))
        assert worker.wait_for_end(worker.mirror(request(trailers=trailers))[0])[0] == "failed"


@BY_WHOM
def test_a_server_without_http2_fails_at_once(worker: WorkerProcess, trailers: Fields) -> None:
    with RecordingServer(sending(b"HTTP/1.1 400 Bad Request\r\n\r\n", close=True)) as plain:
        worker.set_up(spec_of(destination(plain.url, http_version="2", timeout=5.0)))
        got = worker.wait_for_end(worker.mirror(request(trailers=trailers))[0])
        assert got == ("failed", "protocol")
