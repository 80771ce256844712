"""Streamed bodies are mirrored while they pass: byte for byte, in flat memory, never at the client's cost."""

from __future__ import annotations

import contextlib
import hashlib
import random
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.clients import Client, request
from tests.e2e.stage import Stage, stage, tag
from tests.http1 import read_message
from tests.protocols.sink import sink
from tests.protocols.uploads import MIB, memory, stuck_listener, upload
from tests.proxies import proxy
from tests.servers import Connection, Gate, RecordingServer, answering, refused_port, response
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  one: {url: $one}
  two: {url: $two, timeout: 5s}
  early: {url: $early}
  held: {url: $held, timeout: 20s}
apis:
  - name: all
    traffic_mirror:
      - {name: early, path: /early/*, destinations: [early, one]}
      - {name: waits, path: /waits/*, async: false, destinations: [held]}
      - {name: off, path: /off/*, destinations: [one], sample_rate: 0}
      - {name: any, path: "^/", destinations: [one, two], max_body: 1KiB}
"""
SHOUT = """
def requestheaders(flow):
    before = flow.request.stream
    if "shouted" in flow.request.path:
        flow.request.stream = lambda piece: piece.upper()
    elif "split" in flow.request.path:
        flow.request.stream = lambda piece: [piece[:1], piece[1:]] if piece else []
    elif "generated" in flow.request.path:
        flow.request.stream = lambda piece: (piece[at : at + 100] for at in range(0, len(piece), 100))
    elif "wrapped" in flow.request.path:
        flow.request.stream = lambda piece: before(piece) if callable(before) else piece

def request(flow):
    if "late" in flow.request.path:
        flow.request.stream = lambda piece: piece.upper()
"""
BODY = random.Random(1).randbytes(3 * MIB)


class Refusing(RecordingServer):
    """Answers 413 as soon as the head is there, and reads on."""

    def _converse(self, connection: Connection, reader: object) -> None:
        connection.socket.recv(65536)
        connection.send(response(413, b"too large", [("Connection", "close")]))
        with contextlib.suppress(OSError):
            while connection.socket.recv(65536):
                pass


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("streams")
    addon = directory / "shout.py"
    addon.write_text(SHOUT)
    behaviours = {"one": None, "two": answering(201), "held": gate}
    with Refusing() as refusing:
        spec = SPEC.replace("$early", refusing.url)
        options = {"stream_large_bodies": "100k"}
        with stage(
            directory, spec, behaviours=behaviours, options=options, arguments=["-s", str(addon)]
        ) as running:
            yield running


def chunks(body: bytes, size: int = 50_000) -> bytes:
    """A body in chunks."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def chunked(target: str, body: bytes) -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n"
    return head.encode() + chunks(body)


def test_a_body_of_known_length(on: Stage) -> None:
    word = tag()
    assert on.send(request(f"/{word}", method="POST", body=BODY)).status == 200
    for name in ("one", "two", "primary"):
        (got,) = on.received(name, word)
        assert got.body == BODY
        assert got.header("content-length") == str(len(BODY)).encode()
        assert got.header("transfer-encoding") is None


def test_a_chunked_body_that_turns_into_a_stream_midway(on: Stage) -> None:
    word = tag()
    assert on.send(chunked(f"/{word}", BODY)).status == 200
    assert "Streaming request" in on.proxy.log
    for name in ("one", "two", "primary"):
        (got,) = on.received(name, word)
        assert got.body == BODY
        assert got.complete
        assert got.header("transfer-encoding") == b"chunked"
        assert got.header("content-length") is None


def test_a_body_below_the_limit_is_buffered_and_bounded(on: Stage) -> None:
    word = tag()
    assert on.send(request(f"/{word}", method="POST", body=b"x" * 2000)).status == 200
    on.received("primary", word)
    wait_until(lambda: on.ended("any", "one").get(("skipped", "body_too_large")) == 1)


@pytest.mark.parametrize("how", ["known-length", "chunked"])
def test_another_addon_s_stream_decides_for_the_primary_alone(on: Stage, how: str) -> None:
    word, body = f"shouted-{tag()}", b"said quietly " * 20
    whole = request(f"/{word}", method="POST", body=body)
    assert on.send(whole if how == "known-length" else chunked(f"/{word}", body)).status == 200
    (original,) = on.received("primary", word)
    (copy,) = on.received("one", word)
    assert original.body == body.upper()
    assert copy.body == body


@pytest.mark.parametrize("how", ["known-length", "chunked"])
@pytest.mark.parametrize("word", ["split", "generated", "wrapped", "late"])
def test_pieces_may_be_cut_and_functions_put_around_each_other(on: Stage, word: str, how: str) -> None:
    word = f"{word}-{tag()}"
    whole = request(f"/{word}", method="POST", body=BODY)
    assert on.send(whole if how == "known-length" else chunked(f"/{word}", BODY)).status == 200
    for name in ("primary", "one"):
        (got,) = on.received(name, word)
        assert got.body == BODY


@pytest.mark.parametrize("how", ["known-length", "chunked"])
def test_the_body_of_a_head_request_is_left_out(on: Stage, how: str) -> None:
    word = tag()
    data = request(f"/{word}", method="HEAD", body=BODY)
    if how == "chunked":
        data = chunked(f"/{word}", BODY).replace(b"POST", b"HEAD", 1)
    before = on.ended("any", "one").get(("delivered", "2xx"), 0)
    assert on.send(data).status == 200
    (copy,) = on.received("one", word)
    assert (copy.method, copy.body, copy.header("transfer-encoding")) == (b"HEAD", b"", None)
    wait_until(lambda: on.ended("any", "one").get(("delivered", "2xx"), 0) == before + 1)


def test_streams_pass_side_by_side(on: Stage) -> None:
    words = [tag() for _ in range(8)]
    bodies = {word: random.Random(word).randbytes(400_000) for word in words}
    with contextlib.ExitStack() as running:
        clients = {word: running.enter_context(Client(on.proxy.port)) for word in words}
        datas = {
            word: memoryview(request(f"/{word}", method="PUT", body=body)) for word, body in bodies.items()
        }
        for at in range(0, 500_000, 50_000):
            for word, client in clients.items():
                client.socket.sendall(datas[word][at : at + 50_000])
        assert {client.receive(b"PUT").status for client in clients.values()} == {200}
    for word in words:
        (copy,) = on.received("one", word)
        assert hashlib.sha256(copy.body).digest() == hashlib.sha256(bodies[word]).digest()


def test_an_early_answer_ends_a_copy_and_no_other(on: Stage) -> None:
    word = tag()
    assert on.send(request(f"/early/{word}", method="POST", body=BODY)).status == 200
    on.wait_until_ended("early", "early", {("delivered", "4xx"): 1})
    on.wait_until_ended("early", "one", {("delivered", "2xx"): 1})
    (copy,) = on.received("one", word)
    assert copy.body == BODY


def test_a_client_that_goes_takes_its_copies_along(on: Stage) -> None:
    word = tag()
    with Client(on.proxy.port) as client:
        client.send(request(f"/{word}", method="POST", body=BODY)[:1_000_000])
        wait_until(lambda: on.servers["one"].connections)
    wait_until(lambda: on.ended("any", "one").get(("dropped", "client_gone")) == 1, 10, lambda: on.proxy.log)
    wait_until(lambda: on.ended("any", "two").get(("dropped", "client_gone")) == 1)


def test_a_streamed_request_waits_for_no_copy(on: Stage, gate: Gate) -> None:
    """`async: false` holds a request back, and this one is at the primary already."""
    word = tag()
    assert on.send(request(f"/waits/{word}", method="POST", body=BODY)).status == 200
    assert on.ended("waits", "held") == {}
    gate.open()
    on.wait_until_ended("waits", "held", {("delivered", "2xx"): 1})


def test_what_is_not_selected_is_not_passed_on(on: Stage) -> None:
    word = tag()
    assert on.send(request(f"/off/{word}", method="POST", body=BODY)).status == 200
    on.wait_until_ended("off", "one", {("sampled_out", "rule_rate"): 1})


class Hasty(RecordingServer):
    """Answers before the body is there: in part, as a whole, or with a refusal and a close."""

    def _converse(self, connection: Connection, reader: BinaryIO) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n") and (line := reader.readline()):
            head += line
        if b"/begins" in head:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
            while b"last" not in (data := reader.readline()) and data:
                pass
            connection.send(b"lf")
        elif b"/whole" in head:
            connection.send(response())
        else:
            reader.readline()
            connection.send(response(413, b"too large", [("Connection", "close")]))
            return
        with contextlib.suppress(OSError):
            while reader.readline():
                pass


HASTY_SPEC = """
version: 1
destinations: {one: {url: $one, max_in_flight: 1}}
apis: [{name: all, traffic_mirror: [{name: any, path: "^/", destinations: [one]}]}]
"""


def test_a_primary_that_answers_in_mid_body_and_closes_takes_no_place_for_good(tmp_path: Path) -> None:
    """mitmproxy tells of the answer, and then of nothing more: the copy has to end all the same."""
    options = {"stream_large_bodies": "100k"}
    with (
        Hasty() as primary,
        stage(
            tmp_path, HASTY_SPEC, behaviours={"one": None}, mode=f"reverse:{primary.url}", options=options
        ) as on,
    ):
        head = b"POST /refused HTTP/1.1\r\nHost: h.test\r\nContent-Length: 1000000\r\n\r\n"
        with Client(on.proxy.port) as client:
            client.send(head + b"one line\n" * 100)
            assert client.receive(b"POST").status == 413
        on.wait_until_ended("any", "one", {("dropped", "client_gone"): 1})
        assert on.send(request("/refused", method="POST", body=b"x\n")).status == 413
        on.wait_until_ended("any", "one", {("dropped", "client_gone"): 1, ("delivered", "2xx"): 1})


@pytest.mark.parametrize("path", ["begins", "whole"])
def test_a_primary_that_answers_before_the_body_begins(tmp_path: Path, path: str) -> None:
    """As the server of a two-way stream may, which greets its client first."""
    addon = tmp_path / "streaming.py"
    addon.write_text(
        "def requestheaders(flow): flow.request.stream = True\n"
        "def responseheaders(flow): flow.response.stream = True\n"
    )
    with (
        Hasty() as primary,
        stage(
            tmp_path,
            HASTY_SPEC.replace("destinations: [one]", "destinations: [one], compare: true"),
            behaviours={"one": None},
            mode=f"reverse:{primary.url}",
            arguments=["-s", str(addon)],
        ) as on,
        Client(on.proxy.port) as client,
    ):
        head = f"POST /{path} HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send(head.encode())
        got = client.socket.recv(1000)
        while b"ha" not in got and b"ok" not in got:
            got += client.socket.recv(1000)
        client.send(chunks(b"last\n"))
        (copy,) = on.received("one", path)
        assert copy.body == b"last\n"
        on.wait_until_ended("any", "one", {("delivered", "2xx"): 1})
        wait_until(lambda: sum(on.proxy.summary()["verdicts"].values()) == 1)


WAITING_SPEC = """
version: 1
destinations:
  good: {{url: "{good}"}}
  waiting: {{url: "http://127.0.0.1:{port}", timeout: 60s, stream_buffer: {buffer}}}
apis: [{{name: all, traffic_mirror: [{{name: any, path: "^/", destinations: [waiting, good]}}]}}]
"""


@pytest.mark.parametrize("how", ["known-length", "chunked"])
@pytest.mark.parametrize(
    ("size", "buffer", "outcome"),
    [
        pytest.param(8 * MIB, "32MiB", {"delivered": {"2xx": 1}}, id="within-the-buffer"),
        pytest.param(64 * MIB, "1MiB", {"dropped": {"slow": 1}}, id="beyond-the-buffer"),
    ],
)
def test_a_client_is_through_before_a_destination_has_read_a_byte(
    tmp_path: Path, how: str, size: int, buffer: str, outcome: dict[str, dict[str, int]]
) -> None:
    """It reads only once the client has its answer: a client that waited for it would wait for ever."""
    with sink() as primary, sink() as good, contextlib.closing(stuck_listener()) as listener:
        spec = WAITING_SPEC.format(good=good.url, port=listener.getsockname()[1], buffer=buffer)
        options = {"stream_large_bodies": "100k"}
        with proxy(tmp_path, spec, mode=f"reverse:{primary.url}", options=options) as on:
            answer, expected = upload(on.port, size, chunked=how == "chunked", pace=(primary, good))
            assert answer.status == 200
            assert primary.swallowed() == good.swallowed() == expected
            listener.settimeout(10)
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as reader:
                read = read_message(reader)
                assert read is not None
                if "delivered" in outcome:
                    assert (len(read.body), zlib.crc32(read.body)) == (expected.size, expected.crc)
                    connection.sendall(response())
                (row,) = [row for row in on.settled(2)["copies"] if row["destination"] == "waiting"]
                assert {name: reasons for name, reasons in row["outcomes"].items() if reasons} == outcome


MISSED_SPEC = """
version: 1
destinations: {one: {url: $one}}
apis:
  - name: all
    traffic_mirror:
      - {name: off, path: /off/*, destinations: [one], sample_rate: 0}
      - {name: any, path: /any/*, destinations: [one]}
"""
LOOPED = [("X-Traffic-Mirror", "true")]
PRIMARY_FAILED = ("dropped", "primary_failed")
CLIENT_GONE = ("dropped", "client_gone")


def test_a_primary_that_can_t_be_reached_leaves_no_streamed_body_uncounted(tmp_path: Path) -> None:
    with (
        refused_port() as port,
        stage(
            tmp_path,
            MISSED_SPEC,
            behaviours={"one": None},
            mode=f"reverse:http://127.0.0.1:{port}",
            options={"stream_large_bodies": "100k"},
        ) as on,
    ):
        for rule in ("any", "off", "none"):
            assert on.send(request(f"/{rule}/known", method="POST", body=BODY)).status == 502
            assert on.send(chunked(f"/{rule}/unknown", BODY)).status == 502
        assert on.send(request("/any/looped", method="POST", body=BODY, headers=LOOPED)).status == 502
        assert on.send(request("/any/buffered", method="POST", body=b"x")).status == 502
        on.proxy.settled(6)
        assert on.ended("any", "one") == {PRIMARY_FAILED: 2, ("skipped", "loop"): 1, ("delivered", "2xx"): 1}
        assert on.ended("off", "one") == {("sampled_out", "rule_rate"): 2}
        assert [got.target for got in on.servers["one"].requests] == [b"/any/buffered"]


def test_a_client_that_goes_before_its_streamed_body_begins_is_counted(tmp_path: Path) -> None:
    options = {"stream_large_bodies": "100k"}
    with stage(tmp_path, MISSED_SPEC, behaviours={"one": None}, options=options) as on:
        with Client(on.proxy.port) as client:
            client.send(request("/any/gone", method="POST", body=BODY)[: -len(BODY)])
            wait_until(lambda: on.primary.connections)
        on.wait_until_ended("any", "one", {CLIENT_GONE: 1})
        assert on.send(request("/any/whole", method="POST", body=BODY)).status == 200
        on.wait_until_ended("any", "one", {CLIENT_GONE: 1, ("delivered", "2xx"): 1})


def test_a_client_that_is_answered_before_its_body_and_sends_none_is_counted(tmp_path: Path) -> None:
    options = {"stream_large_bodies": "100k"}
    with (
        Refusing() as primary,
        stage(
            tmp_path, MISSED_SPEC, behaviours={"one": None}, mode=f"reverse:{primary.url}", options=options
        ) as on,
        Client(on.proxy.port) as client,
    ):
        client.send(request("/any/refused", method="POST", body=BODY)[: -len(BODY)])
        assert client.receive(b"POST").status == 413
        on.wait_until_ended("any", "one", {CLIENT_GONE: 1})


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("how", ["known-length", "chunked"])
def test_memory_stays_flat_and_a_destination_that_stops_is_dropped(tmp_path: Path, how: str) -> None:
    size = 192 * MIB
    with contextlib.ExitStack() as running:
        primary, one, two = (running.enter_context(sink()) for _ in range(3))
        stuck = running.enter_context(contextlib.closing(stuck_listener()))
        spec = f"""
version: 1
destinations:
  one: {{url: "{one.url}"}}
  two: {{url: "{two.url}"}}
  stuck: {{url: "http://127.0.0.1:{stuck.getsockname()[1]}"}}
apis: [{{name: all, traffic_mirror: [{{name: any, path: "^/", destinations: [one, stuck, two]}}]}}]
"""
        mode, options = f"reverse:{primary.url}", {"stream_large_bodies": "1m"}
        on = running.enter_context(proxy(tmp_path, spec, mode=mode, options=options))
        pids = {"proxy": on.process.pid, "worker": on.worker}
        before = {name: memory(pid)[0] for name, pid in pids.items()}
        answer, expected = upload(on.port, size, chunked=how == "chunked", pace=(one, two))
        assert answer.status == 200
        assert [server.swallowed() for server in (primary, one, two)] == [expected] * 3
        rise = {name: memory(pid)[1] - before[name] for name, pid in pids.items()}
        assert max(rise.values()) < 64, rise
        summary = on.settled(3)
        outcomes = {row["destination"]: row["outcomes"] for row in summary["copies"]}
        assert outcomes["stuck"]["dropped"] == {"slow": 1}
        assert outcomes["one"]["delivered"] == outcomes["two"]["delivered"] == {"2xx": 1}
