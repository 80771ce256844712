"""Ways to a destination: proxies of every kind, unix sockets, directly; and whose certificates count."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes
from tests.certificates import Authority
from tests.clients import exchange, request
from tests.proxies import LISTENING, Proxy, proxy
from tests.servers import RecordingServer
from tests.waiting import wait_until


@contextlib.contextmanager
def way(directory: Path, mode: str, **options: str) -> Iterator[tuple[int, Path]]:
    """A mitmdump as the proxy on the way; its port, and its log, which has a line for each flow."""
    directory.mkdir()

    def listening() -> int:
        found = LISTENING.search(log.read_text())
        return int(found[2]) if found else 0

    log = directory / "log"
    settings = {"confdir": str(directory / "conf"), "ssl_insecure": "true", "flow_detail": "1", **options}
    command = [str(Path(sys.executable).with_name("mitmdump")), "--mode", mode, "--listen-port", "0"]
    command += ["--listen-host", "127.0.0.1"]
    command += [part for item in settings.items() for part in ("--set", "=".join(item))]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield wait_until(listening, 30, log.read_text), log
    finally:
        processes.end(process)


def spec_of(*settings: str) -> str:
    """A spec with one destination for each mapping, all of which get everything."""
    destinations = "".join(f"          - {{{mapping}}}\n" for mapping in settings)
    return f"""
version: 1
apis:
  - name: all
    traffic_mirror:
      - name: any
        path: "^/"
        destinations:
{destinations}
"""


def outcomes(running: Proxy, selected: int) -> list[dict[str, dict[str, int]]]:
    """What became of the copies, by destination."""
    rows = running.settled(selected)["copies"]
    return [{name: reasons for name, reasons in row["outcomes"].items() if reasons} for row in rows]


DELIVERED = {"delivered": {"2xx": 1}}


def test_through_proxies_of_every_kind(tmp_path: Path) -> None:
    """http with and without TLS at the end, socks5, socks5h, with user and password."""
    authority = Authority(tmp_path)
    with contextlib.ExitStack() as running:
        enter = running.enter_context
        primary, plain = enter(RecordingServer()), enter(RecordingServer())
        secure = enter(RecordingServer(tls=authority.server_context("127.0.0.1")))
        http, http_log = enter(way(tmp_path / "http", "regular", proxyauth="user:pass word"))
        socks, socks_log = enter(way(tmp_path / "socks", "socks5"))
        trusted = f"tls: {{ca_file: '{tmp_path}/http/conf/mitmproxy-ca-cert.pem'}}"
        trusted_too = f"tls: {{ca_file: '{tmp_path}/socks/conf/mitmproxy-ca-cert.pem'}}"
        spec = spec_of(
            f"url: '{plain.url}/1', proxy: 'http://user:pass%20word@127.0.0.1:{http}'",
            f"url: '{secure.url}/2', proxy: 'http://user:pass%20word@127.0.0.1:{http}', {trusted}",
            f"url: '{plain.url}/3', proxy: 'socks5://127.0.0.1:{socks}'",
            f"url: '{secure.url}/4', proxy: 'socks5h://127.0.0.1:{socks}', {trusted_too}",
            f"url: '{plain.url}/5', proxy: 'http://user:wrong@127.0.0.1:{http}'",
            f"url: '{secure.url}/6', proxy: 'http://127.0.0.1:{http}', {trusted}",
        )
        on = enter(proxy(tmp_path / "proxy", spec, mode=f"reverse:{primary.url}"))
        assert exchange(on.port, request("/x", method="POST", body=b"body")).status == 200
        *good, wrong, without = outcomes(on, 6)
        assert good == [DELIVERED] * 4
        assert wrong == {"delivered": {"4xx": 1}}, "a plain proxy's refusal is an answer like any other"
        assert without == {"failed": {"proxy": 1}}
        copies = sorted((got.target, got.body) for got in plain.requests + secure.requests)
        assert copies == [(b"/%d/x" % number, b"body") for number in range(1, 5)]
        assert not [got for got in plain.requests + secure.requests if got.all("proxy-authorization")]
        assert [len(re.findall(r"/\d/x", log.read_text())) for log in (http_log, socks_log)] == [3, 2]


def test_through_a_proxy_that_speaks_tls_itself(tmp_path: Path) -> None:
    """Its certificate is checked against the well-known authorities, to which this one does not belong."""
    with (
        RecordingServer() as primary,
        RecordingServer() as plain,
        way(tmp_path / "way", "regular") as (port, _),
    ):
        spec = spec_of(f"url: '{plain.url}', proxy: 'https://127.0.0.1:{port}'")
        with proxy(tmp_path / "proxy", spec, mode=f"reverse:{primary.url}") as on:
            assert exchange(on.port, request("/x")).status == 200
            (only,) = outcomes(on, 1)
            assert list(only) == ["failed"]
            assert not plain.requests


def test_upstream_mode_goes_its_way_unless_a_destination_goes_directly(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    path = tmp_path / "app.sock"
    listener.bind(str(path))
    listener.listen()
    with (
        RecordingServer() as primary,
        RecordingServer() as plain,
        RecordingServer(listener=listener) as local,
        way(tmp_path / "way", "regular") as (parent, log),
    ):
        spec = spec_of(
            f"url: '{plain.url}/through'",
            f"url: '{plain.url}/direct', proxy: direct",
            f"url: 'http+unix://{path}'",
        )
        with proxy(tmp_path / "proxy", spec, mode=f"upstream:http://127.0.0.1:{parent}") as on:
            assert exchange(on.port, request(f"{primary.url}/x")).status == 200
            assert outcomes(on, 3) == [DELIVERED] * 3
            assert len(local.requests) == 1
            assert {got.target for got in plain.requests} == {b"/through/x", b"/direct/x"}
        said = log.read_text()
        assert "/through/x" in said
        assert "/direct/x" not in said


@pytest.mark.needs("openssl")
def test_a_certificate_that_is_not_accepted_is_said_in_words(tmp_path: Path) -> None:
    other_place = tmp_path / "other"
    other_place.mkdir()
    authority, other = Authority(tmp_path), Authority(other_place)
    with contextlib.ExitStack() as running:
        enter = running.enter_context
        primary = enter(RecordingServer())
        servers = {
            "expired": authority.server_context("127.0.0.1", days=(-30, -1)),
            "not yet valid": authority.server_context("127.0.0.1", days=(1, 30)),
            "wrong name": authority.server_context("other.test"),
            "self-signed": self_signed(tmp_path),
            "unknown authority": other.server_context("127.0.0.1"),
        }
        urls = {name: enter(RecordingServer(tls=context)).url for name, context in servers.items()}
        trusted = f"tls: {{ca_file: '{authority.file}'}}"
        spec = spec_of(*(f"url: '{url}', {trusted}" for url in urls.values()))
        on = enter(proxy(tmp_path / "proxy", spec, mode=f"reverse:{primary.url}"))
        assert exchange(on.port, request("/x")).status == 200
        assert outcomes(on, 5) == [{"failed": {"tls": 1}}] * 5
        for name, words in {
            "expired": "expired",
            "not yet valid": "not yet valid",
            "wrong name": "no alternative certificate subject name matches target IPv4 address",
            "self-signed": "self-signed",
            "unknown authority": "unable to get local issuer certificate",
        }.items():
            (line,) = (line for line in on.log.splitlines() if f"destination {urls[name]}:" in line)
            assert words in line, line


def self_signed(directory: Path) -> ssl.SSLContext:
    """What a server has whose certificate nobody signed but itself."""
    key, certificate = directory / "self.key", directory / "self.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.needs("openssl")
def test_mitmproxy_s_own_authority_is_not_trusted_by_accident(tmp_path: Path) -> None:
    """Not even where it was made the machine's, as transparent mode wants it for programs on a dev box."""
    with RecordingServer() as primary, way(tmp_path / "way", f"reverse:{primary.url}") as (port, _):
        authority = tmp_path / "way" / "conf" / "mitmproxy-ca-cert.pem"
        hashed = tmp_path / "hashed"
        hashed.mkdir()
        said = subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", str(authority)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        (hashed / f"{said}.0").write_bytes(authority.read_bytes())
        env = {"SSL_CERT_FILE": str(authority), "SSL_CERT_DIR": str(hashed), "CURL_CA_BUNDLE": str(authority)}
        spec = spec_of(
            f"url: 'https://127.0.0.1:{port}'",
            f"url: 'https://127.0.0.1:{port}', http_version: 1.1, tls: {{ca_file: '{authority}'}}",
        )
        with proxy(tmp_path / "proxy", spec, mode=f"reverse:{primary.url}", env=env) as on:
            assert exchange(on.port, request("/x")).status == 200
            accidental, meant = outcomes(on, 2)
            wait_until(lambda: "unable to get local issuer certificate" in on.log)
    assert accidental == {"failed": {"tls": 1}}
    assert meant == DELIVERED, "it is trusted where the spec says so"
