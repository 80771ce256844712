"""WebSockets: what a client says to the primary is said to the destination, in order, to the close."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection

from tests.certificates import Authority
from tests.clients import Client, exchange, request
from tests.http1 import Message
from tests.protocols.sockets import Heard, SocketServer, echo, listen, socket_server
from tests.proxies import Proxy, proxy
from tests.servers import Behaviour, Connection, RecordingServer, answering, closing, never, tunnelling
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  shadow: {{url: "{shadow}/base?tenant=s", headers: {{X-Env: shadow}}, timeout: 2s}}
  http: {{url: "{http}", timeout: 2s}}
  mute: {{url: "{mute}", timeout: 1s}}
  closing: {{url: "{closing}", timeout: 1s}}
  leaving: {{url: "{leaving}", timeout: 1s}}
  stuck: {{url: "{stuck}", stream_buffer: 64KiB}}
  garbled: {{url: "{garbled}", timeout: 2s}}
apis:
  - name: all
    traffic_mirror:
      - {{name: mirrored, path: /ws/*, websocket: true, destinations: [shadow]}}
      - {{name: refused, path: /refused/*, websocket: true, destinations: [http, mute, closing, shadow]}}
      - {{name: leaving, path: /leaving/*, websocket: true, destinations: [leaving]}}
      - {{name: stuck, path: /stuck/*, websocket: true, destinations: [stuck, shadow]}}
      - {{name: garbled, path: /garbled/*, websocket: true, destinations: [garbled]}}
      - {{name: off, path: /off/*, destinations: [shadow]}}
"""


def upgrading(then: bytes) -> Behaviour:
    """Accepts any upgrade, sends these bytes, and waits for the other side's end."""

    def behave(connection: Connection, request: Message) -> None:
        key = request.header("sec-websocket-key") or b""
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + then
        )
        connection.pause()

    return behave


@contextlib.contextmanager
def stuck_server() -> Iterator[str]:
    """Accepts the upgrade and reads nothing more; its URL."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with RecordingServer(upgrading(b""), listener=listener) as server:
        yield server.url


SPEC_OF_ONE = """
version: 1
destinations: {{shadow: {{url: "{shadow}", timeout: 2s}}}}
apis: [{{name: all, traffic_mirror: [{{name: any, path: "^/", websocket: true, destinations: [shadow]}}]}}]
"""


@dataclass(frozen=True, slots=True)
class Sockets:
    """The proxy, the primary's side and the destination's, both kept."""

    proxy: Proxy
    primary: SocketServer
    shadow: SocketServer

    @contextlib.contextmanager
    def open(self, path: str, **options: Any) -> Iterator[ClientConnection]:
        """A client's connection through the proxy."""
        url = f"ws://127.0.0.1:{self.proxy.port}{path}"
        options = {"subprotocols": ["chat"], "proxy": None, "max_size": None, **options}
        with connect(url, **options) as connection:
            yield connection

    def heard(self, server: SocketServer, word: str) -> Heard:
        """The connection with this word in its path, once it is there."""

        def found() -> list[Heard]:
            return [heard for heard in server.heard if word in heard.path]

        wait_until(found, 10, lambda: f"{word}:\n{self.proxy.log}")
        (heard,) = found()
        return heard

    def ended(self, rule: str, destination: str, expected: dict[str, dict[str, int]]) -> None:
        """Waits until that row of the ledger says exactly this."""

        def outcomes() -> dict[str, dict[str, int]]:
            for row in self.proxy.summary()["copies"]:
                if (row["rule"], row["destination"]) == (rule, destination):
                    return {name: reasons for name, reasons in row["outcomes"].items() if reasons}
            return {}

        wait_until(lambda: outcomes() == expected, 15, lambda: f"{expected}: {outcomes()}\n{self.proxy.log}")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sockets]:
    with contextlib.ExitStack() as running:
        primary = running.enter_context(socket_server(echo, subprotocols=["chat", "other"]))
        shadow = running.enter_context(socket_server(listen, subprotocols=["chat", "other"]))
        leaving = running.enter_context(socket_server(lambda connection: connection.close(4000, "enough")))
        stuck = running.enter_context(stuck_server())
        servers = {
            "http": answering(404),
            "mute": never,
            "closing": closing,
            "garbled": upgrading(b"\xff" * 64),
        }
        urls = {
            name: running.enter_context(RecordingServer(behaviour)).url for name, behaviour in servers.items()
        }
        spec = SPEC.format(shadow=shadow.url, leaving=leaving.url, stuck=stuck, **urls)
        directory = tmp_path_factory.mktemp("websocket")
        yield Sockets(
            running.enter_context(proxy(directory, spec, mode=f"reverse:{primary.url}")), primary, shadow
        )


def test_messages_arrive_in_order_and_the_close_with_its_code(stage: Sockets) -> None:
    said: list[str | bytes] = ["hello", b"\x00\xff", "", b"", "grüße", *(str(n) for n in range(200))]
    with stage.open("/ws/order?x=1") as client:
        for message in said:
            client.send(message)
            client.recv()
        client.close(4001, "bye")
    original, copy = stage.heard(stage.primary, "order"), stage.heard(stage.shadow, "order")
    wait_until(lambda: copy.closed and original.closed)
    assert original.messages == copy.messages == said
    assert copy.closed == original.closed == (4001, "bye")
    assert copy.path == "/base/ws/order?tenant=s&x=1"
    stage.ended("mirrored", "shadow", {"delivered": {"1xx": 1}})


def test_the_request_is_the_client_s(stage: Sockets) -> None:
    headers = {"Authorization": "Bearer own", "Cookie": "a=1", "Origin": "https://app.test"}
    with stage.open("/ws/request", additional_headers=headers, subprotocols=["other", "none"]) as client:
        assert client.subprotocol == "other"
        client.send("x")
    original, copy = stage.heard(stage.primary, "request"), stage.heard(stage.shadow, "request")
    wait_until(lambda: copy.closed)
    assert copy.subprotocol == original.subprotocol == "other"
    got = {name.lower(): value for name, value in copy.headers}
    assert got["sec-websocket-protocol"] == "other, none"
    assert got["sec-websocket-key"] == dict(original.headers)["Sec-WebSocket-Key"]
    assert (got["authorization"], got["cookie"], got["origin"]) == tuple(headers.values())
    assert (got["x-env"], got["x-traffic-mirror"]) == ("shadow", "true")
    assert got["host"] == stage.shadow.url.removeprefix("http://")
    assert "sec-websocket-extensions" not in got, "its messages go uncompressed"


def test_large_and_fragmented_messages_arrive_whole(stage: Sockets) -> None:
    large = bytes(range(256)) * 12_000
    with stage.open("/ws/large", compression=None) as client:
        client.send(large)
        client.send(["in ", "three ", "parts"])
        client.send([b"\x00", b"\x01"])
        client.recv()
    copy = stage.heard(stage.shadow, "large")
    wait_until(lambda: copy.closed, 15)
    assert copy.messages == [large, "in three parts", b"\x00\x01"]


def test_compressed_messages_are_sent_on_as_they_were_meant(stage: Sockets) -> None:
    with stage.open("/ws/deflate", compression="deflate") as client:
        client.send("word " * 1000)
    copy = stage.heard(stage.shadow, "deflate")
    wait_until(lambda: copy.closed)
    assert copy.messages == ["word " * 1000]


def test_pings_are_answered(tmp_path: Path) -> None:
    def ping(connection: ServerConnection) -> None:
        answered = connection.ping(b"there?").wait(5)
        connection.heard.messages.append(f"answered {answered}")  # type: ignore[attr-defined]
        listen(connection)

    with socket_server(echo, subprotocols=["chat"]) as primary, socket_server(ping) as shadow:
        spec = SPEC_OF_ONE.format(shadow=shadow.url)
        with proxy(tmp_path, spec, mode=f"reverse:{primary.url}") as running:
            stage = Sockets(running, primary, shadow)
            with stage.open("/ping") as client:
                wait_until(lambda: shadow.heard and shadow.heard[0].messages)
                client.send("after")
            wait_until(lambda: shadow.heard[0].closed)
            assert shadow.heard[0].messages == ["answered True", "after"]
            stage.ended("any", "shadow", {"delivered": {"1xx": 1}})


def test_a_client_that_breaks_off_breaks_its_copies_off(stage: Sockets) -> None:
    with stage.open("/ws/broken") as client:
        client.send("last words")
        client.recv()
        client.socket.shutdown(socket.SHUT_RDWR)
        copy = stage.heard(stage.shadow, "broken")
        wait_until(lambda: copy.closed)
    assert copy.messages == ["last words"]
    assert copy.closed is not None
    assert copy.closed[0] == 1006


def test_a_destination_that_takes_no_websocket_fails_alone(stage: Sockets) -> None:
    with stage.open("/refused/1") as client:
        client.send("x")
        assert client.recv() == "x"
        stage.ended("refused", "http", {"failed": {"websocket_refused": 1}})
        stage.ended("refused", "mute", {"failed": {"timeout": 1}})
        stage.ended("refused", "closing", {"failed": {"reset": 1}})
        client.send("y")
        assert client.recv() == "y"
    stage.ended("refused", "shadow", {"delivered": {"1xx": 1}})
    assert stage.heard(stage.shadow, "refused").messages == ["x", "y"]


def test_a_destination_that_closes_first_fails_when_the_client_goes_on(stage: Sockets) -> None:
    with stage.open("/leaving/1") as client:
        client.send("x")
        stage.ended("leaving", "leaving", {"failed": {"websocket_closed": 1}})
        client.send("y")
        assert (client.recv(), client.recv()) == ("x", "y")
    assert "4000 enough" in stage.proxy.log


def test_what_is_no_websocket_is_a_protocol_failure(stage: Sockets) -> None:
    with stage.open("/garbled/1") as client:
        stage.ended("garbled", "garbled", {"failed": {"protocol": 1}})
        client.send("x")
        assert client.recv() == "x"


def test_a_destination_that_does_not_keep_up_is_dropped(stage: Sockets) -> None:
    with stage.open("/stuck/1", compression=None) as client:
        for _ in range(200):
            client.send(b"x" * 60_000)
            assert client.recv() == "much"
    stage.ended("stuck", "stuck", {"dropped": {"slow": 1}})
    stage.ended("stuck", "shadow", {"delivered": {"1xx": 1}})
    assert len(stage.heard(stage.shadow, "stuck").messages) == 200


def test_without_the_rule_s_word_an_upgrade_is_skipped(stage: Sockets) -> None:
    with stage.open("/off/1") as client:
        client.send("x")
        assert client.recv() == "x"
    stage.ended("off", "shadow", {"skipped": {"websocket": 1}})
    assert not [heard for heard in stage.shadow.heard if "/off/" in heard.path]


def test_an_upgrade_that_the_primary_refuses_is_skipped(stage: Sockets) -> None:
    stage.primary.refuse = 403
    try:
        with pytest.raises(InvalidStatus), stage.open("/ws/no-entry"):
            pass
    finally:
        stage.primary.refuse = 0
    wait_until(lambda: "websocket_refused" in str(stage.proxy.summary()["copies"]))
    assert not [heard for heard in stage.shadow.heard if "no-entry" in heard.path]


def test_it_goes_over_tls_and_through_a_proxy_s_tunnel(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with (
        socket_server(echo, subprotocols=["chat"]) as primary,
        socket_server(listen, subprotocols=["chat"], ssl=authority.server_context("127.0.0.1")) as shadow,
        RecordingServer(tunnelling) as way,
    ):
        spec = SPEC_OF_ONE.format(shadow=f"https://127.0.0.1:{shadow.port}").replace(
            "timeout: 2s", f'timeout: 2s, proxy: "{way.url}", tls: {{ca_file: "{authority.file}"}}'
        )
        with proxy(tmp_path / "proxy", spec, mode=f"reverse:{primary.url}") as running:
            stage = Sockets(running, primary, shadow)
            with stage.open("/far") as client:
                client.send("hello")
                client.recv()
                client.close(4001, "bye")
            copy = stage.heard(shadow, "far")
            wait_until(lambda: copy.closed)
            assert (copy.messages, copy.closed) == (["hello"], (4001, "bye"))
            assert way.requests[0].method == b"CONNECT"


def test_an_upgrade_that_mitmproxy_takes_for_no_websocket_is_skipped(tmp_path: Path) -> None:
    """As one of an older version: its bytes pass as they are, so there are no messages to mirror."""
    with RecordingServer(upgrading(b"")) as primary, socket_server(listen) as shadow:
        spec = SPEC_OF_ONE.format(shadow=shadow.url)
        with proxy(tmp_path, spec, mode=f"reverse:{primary.url}") as running, Client(running.port) as client:
            fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "8")]
            client.send(request("/old", headers=fields))
            Sockets(running, SocketServer(), shadow).ended(
                "any", "shadow", {"skipped": {"websocket_refused": 1}}
            )


def test_open_websockets_take_no_copy_s_place(tmp_path: Path) -> None:
    with socket_server(echo, subprotocols=["chat"]) as primary, socket_server(listen) as shadow:
        spec = SPEC_OF_ONE.format(shadow=shadow.url).replace("}}", ", max_in_flight: 2}}")
        with proxy(tmp_path, spec, mode=f"reverse:{primary.url}") as running:
            stage = Sockets(running, primary, shadow)
            with stage.open("/a"), stage.open("/b"), stage.open("/c") as third:
                third.send("x")
                stage.ended("any", "shadow", {"dropped": {"queue_full": 1}})
                assert exchange(running.port, request("/plain")).status >= 400
                stage.ended("any", "shadow", {"dropped": {"queue_full": 1}, "delivered": {"4xx": 1}})
            assert running.interrupt() == 0
            assert "3 delivered" in running.log


def test_open_websockets_end_with_the_proxy(tmp_path: Path) -> None:
    with socket_server(echo, subprotocols=["chat"]) as primary, socket_server(listen) as shadow:
        spec = SPEC_OF_ONE.format(shadow=shadow.url)
        with proxy(tmp_path, spec, mode=f"reverse:{primary.url}") as running:
            stage = Sockets(running, primary, shadow)
            with contextlib.suppress(ConnectionClosed), stage.open("/a") as client:
                client.send("x")
                wait_until(lambda: shadow.heard and shadow.heard[0].messages)
                assert running.interrupt() == 0
        wait_until(lambda: shadow.heard[0].closed)
