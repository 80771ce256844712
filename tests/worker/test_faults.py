"""Whatever a destination does, each copy ends once, for the right reason, and the next one is sent."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.certificates import Authority
from tests.protocols.test_http2_faults import answering as http2_answering
from tests.protocols.test_http2_faults import server as http2_server
from tests.servers import (
    Behaviour,
    Connection,
    RecordingServer,
    answering,
    closing,
    dripping,
    never,
    refused_port,
    resetting,
    response,
    sending,
)
from tests.waiting import wait_until
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.copies.request import Fields
from traffic_mirror.spec.model import CircuitBreaker, Compare
from traffic_mirror.wire.frames import Primary, Shown, Statistics

HEAD = b"HTTP/1.1 200 OK\r\n"


def endless(head: bytes, piece: bytes) -> Behaviour:
    """A head, and then the same piece as long as the other end takes it."""

    def behave(connection: Connection, _: object) -> None:
        connection.send(head)
        while not connection.server.stopping.is_set():
            connection.send(piece * 100)

    return behave


def halfway_reset(connection: Connection, _: object) -> None:
    connection.send(HEAD + b"Content-Length: 100\r\n\r\nhalf")
    connection.reset()


FAULTS: dict[str, tuple[Behaviour, str, str]] = {
    "closes-without-an-answer": (closing, "failed", "reset"),
    "resets-without-an-answer": (resetting, "failed", "reset"),
    "resets-in-the-head": (sending(HEAD + b"A: ", close=True), "failed", "reset"),
    "resets-in-the-body": (halfway_reset, "failed", "reset"),
    "closes-in-the-body": (sending(HEAD + b"Content-Length: 100\r\n\r\nx", close=True), "failed", "reset"),
    "never-answers": (never, "failed", "timeout"),
    "a-byte-now-and-then": (dripping(b"x" * 1000, 0.05), "failed", "timeout"),
    "garbage": (sending(b"\x00\xff\x13garbage\r\n\r\n", close=True), "failed", "protocol"),
    "http-0.9": (sending(b"<html>hello</html>", close=True), "failed", "protocol"),
    "broken-chunks": (
        sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", close=True),
        "failed",
        "protocol",
    ),
    "bad-length": (sending(HEAD + b"Content-Length: many\r\n\r\n", close=True), "failed", "protocol"),
    "endless-body": (endless(HEAD + b"\r\n", b"x" * 1000), "delivered", "2xx"),
    "endless-chunks": (
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"a\r\n0123456789\r\n"),
        "delivered",
        "2xx",
    ),
    "announced-too-large": (sending(HEAD + b"Content-Length: 99999999999\r\n\r\nx"), "delivered", "2xx"),
    "endless-header-line": (endless(HEAD + b"A: ", b"x" * 1000), "failed", "protocol"),
    "endless-headers": (endless(HEAD, b"A: " + b"x" * 1000 + b"\r\n"), "failed", "protocol"),
    "no-reason-phrase": (sending(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), "delivered", "2xx"),
    "continue-first": (
        sending(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + response(201)),
        "delivered",
        "2xx",
    ),
    "no-length-then-close": (sending(HEAD + b"\r\nuntil the end", close=True), "delivered", "2xx"),
    "redirect": (answering(302, headers=[("Location", "/again")]), "delivered", "3xx"),
    "no-content": (sending(b"HTTP/1.1 204 No Content\r\n\r\n"), "delivered", "2xx"),
    "not-modified": (
        sending(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n"),
        "delivered",
        "3xx",
    ),
    "bytes-after-the-answer": (sending(response() + b"and more"), "delivered", "2xx"),
}


@pytest.fixture(scope="module")
def lasting() -> Iterator[WorkerProcess]:
    """A worker that goes through one fault after another; in the end it has ended every copy once."""
    with WorkerProcess() as worker:
        yield worker
        assert worker.stop() == 0
        assert sorted(worker.endings) == list(range(1, max(worker.endings) + 1))


@pytest.mark.parametrize(("behaviour", "outcome", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_server_that_misbehaves(
    lasting: WorkerProcess, behaviour: Behaviour, outcome: str, reason: str
) -> None:
    with RecordingServer(behaviour) as server:
        lasting.set_up(spec_of(destination(server.url, timeout=1.0, max_response=1 << 20)))
        assert lasting.wait_for_end(lasting.mirror(request())[0]) == (outcome, reason)
        server.behaviour = answering()
        assert lasting.wait_for_end(lasting.mirror(request())[0]) == ("delivered", "2xx")


def test_an_endless_flow_of_interim_answers_is_bounded(lasting: WorkerProcess) -> None:
    interim = endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")
    with RecordingServer(interim) as server:
        lasting.set_up(spec_of(destination(server.url, timeout=1.0)))
        assert lasting.wait_for_end(lasting.mirror(request())[0])[0] == "failed"


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"DELETE", b"PROPFIND", b"POST", b"head"])
def test_every_method_gets_through(lasting: WorkerProcess, method: bytes) -> None:
    with RecordingServer() as server:
        lasting.set_up(spec_of(destination(server.url)))
        for _ in range(2):
            assert lasting.wait_for_end(lasting.mirror(request(method=method))[0])[1] == "2xx"
        assert [got.method for got in server.requests] == [method] * 2
        assert server.connections == 1


def _refusing() -> str:
    with refused_port() as port:
        return f"http://127.0.0.1:{port}"


UNREACHABLE: dict[str, tuple[Callable[[], str], str]] = {
    "refuses": (_refusing, "connect"),
    "no-such-name": (lambda: "http://no-such-host.invalid:80", "dns"),
}


@pytest.mark.parametrize(("url", "reason"), UNREACHABLE.values(), ids=UNREACHABLE)
def test_a_server_that_is_not_there(url: Callable[[], str], reason: str) -> None:
    with RecordingServer() as other, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(url()), destination(other.url, "other")))
        worker.mirror(request(), destinations=2)
        ended = worker.wait_for_endings(2)
        assert ended[1][1:3] == ("failed", reason)
        assert ended[2][1:3] == ("delivered", "2xx")


def test_plain_http_on_a_tls_destination() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, WorkerProcess() as worker:
        port = server.getsockname()[1]
        worker.set_up(spec_of(destination(f"https://127.0.0.1:{port}")))
        worker.mirror(request())
        with server.accept()[0] as connection:
            connection.recv(1)
            connection.sendall(response(400))
            assert worker.wait_for_endings(1)[1][1:3] == ("failed", "tls")


def test_a_destination_that_goes_and_comes_back() -> None:
    with WorkerProcess() as worker:
        with RecordingServer() as server:
            port = server.port
            worker.set_up(spec_of(destination(server.url)))
            worker.mirror(request())
            assert worker.wait_for_endings(1)[1].outcome == "delivered"
        worker.mirror(request())
        assert worker.wait_for_endings(2)[2][1:3] == ("failed", "connect")
        with RecordingServer(port=port) as server:
            worker.mirror(request())
            assert worker.wait_for_endings(3)[3].outcome == "delivered"


def test_a_connection_closed_while_idle_costs_no_copy() -> None:
    closes_after = sending(response(), close=True)
    with RecordingServer(closes_after) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url)))
        for number in range(1, 6):
            worker.mirror(request())
            assert worker.wait_for_endings(number)[number].outcome == "delivered"


def test_failures_are_said_once_and_then_seldom() -> None:
    with WorkerProcess() as worker:
        worker.set_up(spec_of(destination(_refusing())))
        for _ in range(10):
            worker.mirror(request())
        worker.wait_for_endings(10)
        worker.stop()
        said = [line for line in worker.log if "failed: connect" in line]
        assert len(said) == 1
        assert said[0].startswith("WARNING destination shadow: a copy failed: connect (")


def test_a_server_that_takes_no_connections() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, WorkerProcess() as worker:
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        worker.set_up(spec_of(destination(f"http://127.0.0.1:{address[1]}", timeout=1.0)))
        worker.mirror(request())
        assert worker.wait_for_endings(1)[1][1:3] == ("failed", "timeout")
        for filler in fillers:
            filler.close()


def test_an_answer_that_no_encoder_takes_is_compared_and_told(tmp_path: Path) -> None:
    """Half of a surrogate pair, as a key and as a value: results and statistics hold it, written out."""
    json_type = ((b"Content-Type", b"application/json"),)
    behaviour = answering(
        body=b'{"\\ud800":"\\udfff","a":"v2/\\ud83d"}', headers=[("Content-Type", "application/json")]
    )
    results = tmp_path / "results.jsonl"
    policy = Compare(enabled=True, equivalent=(("v1/(.*)", "v2/(.*)"),))
    with RecordingServer(behaviour) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url), compare=policy), results=str(results))
        worker.mirror(request(), compare=True)
        worker.send(Primary("f1", 200, 0.1, headers=json_type, has_body=True), b'{"a":"v1/b"}')
        worker.wait_for(Statistics)
        wait_until(lambda: results.exists() and results.read_text().endswith("\n"))
        line = json.loads(results.read_text())
        assert line["verdict"] == "differ"
        assert {"place": r"body:$['\ud800']", "kind": "added", "primary": None, "copy": r"\udfff"} in line[
            "differences"
        ]
        assert not [line for line in worker.log if line.startswith("ERROR")]


def test_a_breaker_that_opens_tells_no_secret(tmp_path: Path) -> None:
    """What libcurl says of a socket names its place, which came from the environment."""
    unix_socket = str(tmp_path / "hunter2" / "app.sock")
    where = destination("http://localhost:80", unix_socket=unix_socket, circuit_breaker=CircuitBreaker(of=2))
    with WorkerProcess() as worker:
        worker.set_up(msgspec.structs.replace(spec_of(where), secrets=("hunter2",)))
        for _ in range(2):
            worker.mirror(request())
        worker.wait_for_endings(2)
        wait_until(lambda: any("circuit breaker open" in line for line in worker.log))
        assert any("***/app.sock" in line for line in worker.log)
        assert not any("hunter2" in line for line in worker.log)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes another process's limits")
@pytest.mark.parametrize("trailers", [(), ((b"x-sum", b"5"),)], ids=["by-libcurl", "of-trailers"])
def test_a_lack_of_files_is_not_held_against_a_destination(trailers: Fields) -> None:
    """Where no socket can be opened, the breaker counts nothing, and with files again copies go on."""
    import resource

    with http2_server(http2_answering((":status", "200"))) as url, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(url, http_version="2", circuit_breaker=CircuitBreaker(of=2))))
        pid = worker.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        for _ in range(6):
            assert worker.wait_for_end(worker.mirror(request(trailers=trailers))[0]) == (
                "failed",
                "no_socket",
            )
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert worker.wait_for_end(worker.mirror(request(trailers=trailers))[0]) == ("delivered", "2xx")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes another process's limits")
@pytest.mark.parametrize("whose", ["the-destination-s", "the-proxy-s"])
def test_a_lack_of_files_for_the_authorities_is_not_held_against_a_destination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """Where there is one file left, for the socket, and none to read certifi's by."""
    import resource

    authority = Authority(tmp_path)
    (tmp_path / "certifi.py").write_text(f"def where(): return {str(authority.file)!r}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with RecordingServer(tls=authority.server_context("127.0.0.1")) as server, WorkerProcess() as worker:
        to = (
            destination(server.url)
            if whose == "the-destination-s"
            else destination("http://real.test:80", proxy=server.url)
        )
        worker.set_up(spec_of(to), inspect=True)
        pid = worker.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir()}
        _, second = (number for number in range(len(used) + 2) if number not in used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (second, before[1]))
        worker.mirror(request())
        shown = worker.wait_for(Shown)[0]
        assert (shown.outcome, shown.reason) == ("failed", "no_socket")
        assert str(authority.file) in shown.message
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert worker.wait_for_end(worker.mirror(request())[0]) == ("delivered", "2xx")
