"""gRPC: calls through the proxy reach a real gRPC server as calls, and its status is the copy's outcome."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from tests.certificates import Authority
from tests.proxies import Proxy, proxy
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  plain: {{url: "http://127.0.0.1:{plain}", http_version: 2}}
  secure: {{url: "https://127.0.0.1:{secure}", tls: {{ca_file: "{ca}"}}}}
apis:
  - name: all
    traffic_mirror:
      - {{name: calls, path: "^/mirror.Test/", destinations: [plain, secure], compare: true}}
"""
STREAMING = """
def requestheaders(flow):
    if flow.request.path.endswith("Bidi"):
        flow.request.stream = True

def responseheaders(flow):
    flow.response.stream = flow.request.path.endswith("Bidi")
"""
Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(slots=True)
class GrpcServer:
    """A server that runs; `calls` are what it was called with: method, messages, metadata."""

    port: int = 0
    calls: list[tuple[str, list[bytes], dict[str, str | bytes]]] = field(default_factory=list)
    fails: grpc.StatusCode | None = None

    def of(self, method: str) -> tuple[list[bytes], dict[str, str | bytes]]:
        """The only call of a method, once it is through."""
        wait_until(lambda: [call for call in self.calls if call[0] == method], 10, lambda: f"{self.calls}")
        ((_, messages, metadata),) = (call for call in self.calls if call[0] == method)
        return messages, metadata


class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc ships no types
    """Takes every method of any service, messages as bytes; the method's name says its kind."""

    def __init__(self, server: GrpcServer) -> None:
        self._server = server

    def service(self, details: Any) -> Any:
        name = details.method.rpartition("/")[2]
        metadata = {entry.key: entry.value for entry in details.invocation_metadata}
        keep: Callable[[list[bytes]], None] = lambda messages: self._server.calls.append(  # noqa: E731
            (name, messages, metadata)
        )

        def unary(message: bytes, context: Any) -> bytes:
            keep([message])
            if name == "Fails":
                context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: grüße")
            return message

        def client_stream(messages: Iterator[bytes], context: Any) -> bytes:
            got = list(messages)
            keep(got)
            return b"%d" % len(got)

        def both(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
            got = []
            for message in messages:
                got.append(message)
                yield message
            keep(got)

        if name == "Stream":
            return grpc.stream_unary_rpc_method_handler(client_stream)
        if name == "Bidi":
            return grpc.stream_stream_rpc_method_handler(both)
        return grpc.unary_unary_rpc_method_handler(unary)


@contextlib.contextmanager
def grpc_server(authority: Authority | None) -> Iterator[GrpcServer]:
    """Starts one on loopback."""
    kept = GrpcServer()
    server = grpc.server(ThreadPoolExecutor(8), handlers=[Handler(kept)])
    if authority is None:
        kept.port = server.add_insecure_port("127.0.0.1:0")
    else:
        certificate, key = authority.issue("127.0.0.1", "localhost")
        credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
        kept.port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield kept
    finally:
        server.stop(1).wait(5)


@dataclass(frozen=True, slots=True)
class Stage:
    """The proxy, a client's channel through it, and the three servers."""

    proxy: Proxy
    channel: Any
    primary: GrpcServer
    plain: GrpcServer
    secure: GrpcServer

    def ended(self, reason: str, count: int = 1) -> None:
        """Waits until so many copies to each destination were delivered for this reason."""

        def counts() -> list[int]:
            rows = self.proxy.summary()["copies"]
            return [row["outcomes"].get("delivered", {}).get(reason, 0) for row in rows]

        wait_until(
            lambda: counts() == [count, count], 10, lambda: f"{self.proxy.summary()}\n{self.proxy.log}"
        )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("grpc")
    authority = Authority(directory)
    addon = directory / "streaming.py"
    addon.write_text(STREAMING)
    with grpc_server(authority) as primary, grpc_server(None) as plain, grpc_server(authority) as secure:
        spec = SPEC.format(plain=plain.port, secure=secure.port, ca=authority.file)
        mode = f"reverse:https://127.0.0.1:{primary.port}"
        options = {"ssl_insecure": "true"}
        with proxy(
            directory / "proxy", spec, mode=mode, options=options, arguments=["-s", str(addon)]
        ) as running:
            trusted = grpc.ssl_channel_credentials(running.ca.read_bytes())
            with grpc.secure_channel(f"127.0.0.1:{running.port}", trusted) as channel:
                yield Stage(running, channel, primary, plain, secure)


def test_a_unary_call(stage: Stage) -> None:
    call = stage.channel.unary_unary("/mirror.Test/Unary")
    metadata = (("x-one", "1"), ("x-bytes-bin", b"\x00\xff"))
    assert call(b"hello", metadata=metadata, timeout=10) == b"hello"
    for server in (stage.primary, stage.plain, stage.secure):
        messages, got = server.of("Unary")
        assert messages == [b"hello"]
        assert (got["x-one"], got["x-bytes-bin"]) == ("1", b"\x00\xff")
    assert stage.plain.of("Unary")[1]["x-traffic-mirror"] == "true"
    stage.ended("grpc_0")


def test_a_client_stream(stage: Stage) -> None:
    said = [b"%d" % number * 1000 for number in range(100)]
    call = stage.channel.stream_unary("/mirror.Test/Stream")
    assert call(iter(said), timeout=10) == b"100"
    for server in (stage.primary, stage.plain, stage.secure):
        assert server.of("Stream")[0] == said
    stage.ended("grpc_0", 2)


def test_a_status_is_the_reason(stage: Stage) -> None:
    call = stage.channel.unary_unary("/mirror.Test/Fails")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"x", timeout=10)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    stage.ended("grpc_5")


def test_a_bidirectional_stream_is_mirrored_one_way(stage: Stage) -> None:
    """Where it passes as a stream: what the client says reaches the destination while it is said."""
    goes_on = threading.Event()

    def say() -> Iterator[bytes]:
        yield b"one"
        assert goes_on.wait(10)
        yield b"two"

    answers = stage.channel.stream_stream("/mirror.Test/Bidi")(say(), timeout=15)
    assert next(answers) == b"one"
    goes_on.set()
    assert list(answers) == [b"two"]
    for server in (stage.primary, stage.plain, stage.secure):
        assert server.of("Bidi")[0] == [b"one", b"two"]
    stage.ended("grpc_0", 3)


def test_answers_are_compared_with_their_trailers(stage: Stage) -> None:
    wait_until(lambda: sum(stage.proxy.summary()["verdicts"].values()) >= 6)
    summary = stage.proxy.summary()
    assert summary["verdicts"]["differ"] == 0, stage.proxy.get("/api/differences")
