"""TLS, other protocols and other ways to a destination, with real servers at the other end."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.nginx import nginx
from tests.protocols.test_http2_faults import answering as http2_answering
from tests.protocols.test_http2_faults import server as http2_server
from tests.servers import RecordingServer, answering, refused_datagrams, tunnelling
from tests.worker.driver import WorkerProcess, destination, request, spec_of, trusting
from traffic_mirror.spec.model import Destination, Tls
from traffic_mirror.wire.frames import Shown


def deliver(worker: WorkerProcess, to: Destination, body: bytes = b"") -> tuple[str, str, str]:
    """Sends one copy; its outcome, reason and message."""
    worker.set_up(spec_of(to), inspect=True)
    worker.mirror(request(method=b"POST" if body else b"GET"), body)
    shown = worker.wait_for(Shown)[0]
    return shown.outcome, shown.reason, shown.message


def test_a_private_authority_is_trusted_where_the_spec_says(
    worker: WorkerProcess, authority: Authority
) -> None:
    with RecordingServer(tls=authority.server_context("127.0.0.1")) as server:
        assert deliver(worker, destination(server.url, tls=trusting(authority)))[:2] == ("delivered", "2xx")


@pytest.mark.parametrize(
    ("names", "days", "trusts", "words"),
    [
        (("127.0.0.1",), (-1, 30), False, ("certificate",)),
        (("127.0.0.1",), (-30, -1), True, ("expired",)),
        (("other.test",), (-1, 30), True, ("127.0.0.1",)),
    ],
    ids=["unknown-authority", "expired", "wrong-name"],
)
def test_a_bad_certificate_fails_and_says_why(
    worker: WorkerProcess,
    authority: Authority,
    names: tuple[str, ...],
    days: tuple[int, int],
    trusts: bool,
    words: tuple[str, ...],
) -> None:
    with RecordingServer(tls=authority.server_context(*names, days=days)) as server:
        tls = trusting(authority) if trusts else Tls()
        outcome, reason, message = deliver(worker, destination(server.url, tls=tls))
        assert (outcome, reason) == ("failed", "tls")
        assert all(word in message for word in words), message
        assert not server.requests


def test_verification_can_be_turned_off(worker: WorkerProcess, authority: Authority) -> None:
    with RecordingServer(tls=authority.server_context("other.test")) as server:
        assert deliver(worker, destination(server.url, tls=Tls(verify=False)))[0] == "delivered"


def test_a_server_name_is_what_is_asked_for_and_checked(worker: WorkerProcess, authority: Authority) -> None:
    asked: list[str | None] = []
    context = authority.server_context("real.test")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with RecordingServer(tls=context) as server:
        to = destination(server.url, tls=trusting(authority, server_name="real.test"))
        assert deliver(worker, to)[:2] == ("delivered", "2xx")
        assert asked == ["real.test"]
        assert server.requests[0].header("host") == f"127.0.0.1:{server.port}".encode()


def test_an_address_is_checked_and_not_asked_for(worker: WorkerProcess, authority: Authority) -> None:
    """SNI takes names only (RFC 6066, section 3)."""
    asked: list[str | None] = []
    context = authority.server_context("127.0.0.2")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with RecordingServer(tls=context) as server:
        to = destination(server.url, tls=trusting(authority, server_name="127.0.0.2"))
        assert deliver(worker, to)[:2] == ("delivered", "2xx")
        assert asked == [None]


def test_a_client_certificate_is_shown(worker: WorkerProcess, authority: Authority) -> None:
    import ssl

    context = authority.server_context("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    certificate, key = authority.issue("client.test")
    with RecordingServer(tls=context) as server:
        tls = trusting(authority, cert=certificate.read_bytes(), key=key.read_bytes())
        assert deliver(worker, destination(server.url, tls=tls))[:2] == ("delivered", "2xx")


def test_connect_to_goes_to_another_address(worker: WorkerProcess) -> None:
    with RecordingServer() as server:
        to = destination("http://real.test:80", connect_to=f"127.0.0.1:{server.port}")
        assert deliver(worker, to)[:2] == ("delivered", "2xx")
        assert server.requests[0].header("host") == b"real.test"


def test_ipv6(worker: WorkerProcess) -> None:
    try:
        server = RecordingServer(host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        assert deliver(worker, destination(f"http://[::1]:{server.port}"))[:2] == ("delivered", "2xx")
        assert server.requests[0].header("host") == f"[::1]:{server.port}".encode()


def test_a_unix_socket(worker: WorkerProcess, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    got: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            got.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    to = destination("http://localhost:80", unix_socket=str(path))
    assert deliver(worker, to)[:2] == ("delivered", "2xx")
    thread.join(5)
    listener.close()
    assert got[0].startswith(b"GET /x HTTP/1.1\r\nHost: localhost\r\n")


def test_the_environments_proxy_is_not_used(worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    with RecordingServer() as server, WorkerProcess() as second:
        assert deliver(second, destination(server.url))[:2] == ("delivered", "2xx")


def test_a_plain_proxy_gets_the_whole_url(worker: WorkerProcess) -> None:
    with RecordingServer() as proxy:
        to = destination("http://real.test:8080", proxy=f"http://user:word@127.0.0.1:{proxy.port}")
        assert deliver(worker, to)[:2] == ("delivered", "2xx")
        (got,) = proxy.requests
        assert got.target == b"http://real.test:8080/x"
        assert got.header("host") == b"real.test:8080"
        assert got.header("proxy-authorization") == b"Basic dXNlcjp3b3Jk"
        assert got.header("proxy-connection") is None, "it might be passed on"


@pytest.mark.parametrize("tls", [False, True], ids=["a-plain-destination", "a-tls-destination"])
def test_a_proxy_that_speaks_tls_itself(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    """Its authority has to be a well-known one: here this worker's certifi knows the test's."""
    (tmp_path / "certifi.py").write_text(f"def where(): return {str(authority.file)!r}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    context = authority.server_context("127.0.0.1")
    behaviour = tunnelling if tls else answering()
    with (
        RecordingServer(tls=context if tls else None) as server,
        RecordingServer(behaviour, tls=context) as proxy,
        WorkerProcess() as worker,
    ):
        to = destination(server.url, proxy=proxy.url, tls=trusting(authority))
        assert deliver(worker, to, b"body")[:2] == ("delivered", "2xx")
        asked = f"CONNECT 127.0.0.1:{server.port}" if tls else f"POST {server.url}/x"
        assert proxy.requests[0].first_line == f"{asked} HTTP/1.1".encode()
        assert [got.body for got in (server if tls else proxy).requests] == [b"body"]


def test_a_tunnel_leads_elsewhere_where_connect_to_says_so(worker: WorkerProcess) -> None:
    with RecordingServer() as server, RecordingServer(tunnelling) as proxy:
        to = destination("http://real.test:80", connect_to=f"127.0.0.1:{server.port}", proxy=proxy.url)
        assert deliver(worker, to, b"body")[:2] == ("delivered", "2xx")
        (got,) = server.requests
        assert (got.target, got.header("host"), got.body) == (b"/x", b"real.test", b"body")
        assert proxy.requests[0].first_line == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1".encode()


def test_http2_with_prior_knowledge_goes_through_a_tunnel(worker: WorkerProcess) -> None:
    """A plain proxy is spoken to in HTTP/1.1, and would pass that on."""
    with http2_server(http2_answering((":status", "200"))) as url, RecordingServer(tunnelling) as proxy:
        to = destination(url, http_version="2", proxy=proxy.url)
        assert deliver(worker, to)[:2] == ("delivered", "2xx")
        assert worker.frames(Shown)[0].http_version == "HTTP/2.0"


@pytest.mark.parametrize(("own", "used"), [(None, True), ("", False)], ids=["by-default", "unless-told"])
def test_the_parent_proxy(worker: WorkerProcess, own: str | None, used: bool) -> None:
    with RecordingServer() as proxy, RecordingServer() as server:
        worker.set_up(
            spec_of(destination(server.url, proxy=own)), parent_proxy=f"http://127.0.0.1:{proxy.port}"
        )
        worker.mirror(request())
        worker.wait_for_endings(1)
        assert (len(proxy.requests), len(server.requests)) == ((1, 0) if used else (0, 1))


def test_a_refused_http3_destination_was_not_connected_to(worker: WorkerProcess) -> None:
    with refused_datagrams() as port:
        to = destination(f"https://127.0.0.1:{port}", http_version="3", timeout=5.0)
        assert deliver(worker, to)[:2] == ("failed", "connect")


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(
    ("options", "version", "protocol"),
    [
        ("ssl http2", "auto", b"HTTP/2.0"),
        ("ssl http2", "2", b"HTTP/2.0"),
        ("ssl http2", "1.1", b"HTTP/1.1"),
        ("ssl", "auto", b"HTTP/1.1"),
        ("http2", "2", b"HTTP/2.0"),
        ("", "auto", b"HTTP/1.1"),
    ],
)
def test_http_versions(
    worker: WorkerProcess, authority: Authority, tmp_path: Path, options: str, version: str, protocol: bytes
) -> None:
    with nginx(tmp_path, authority, 'location / { return 200 "$server_protocol"; }', options=options) as url:
        to = destination(url, http_version=version, tls=trusting(authority))
        worker.set_up(spec_of(to), inspect=True)
        for number in range(20):
            worker.mirror(request(flow=f"f{number}"))
        shown = worker.wait_for(Shown, 20)
        assert {(s.outcome, s.reason) for s in shown} == {("delivered", "2xx")}
        assert set(worker.bodies(Shown)) == {protocol}
        assert {s.http_version for s in shown} == {protocol.decode()}
