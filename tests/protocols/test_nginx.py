"""What a real HTTP/2 server makes of a copy: nginx passes it on to a server that keeps the bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.certificates import Authority
from tests.e2e.stage import MARKERS
from tests.http1 import Message
from tests.nginx import nginx
from tests.servers import RecordingServer, answering
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.spec.model import Tls
from traffic_mirror.wire.frames import Chunk, ChunkEnd

pytestmark = pytest.mark.needs("nginx")

PASS_ON = """
    ignore_invalid_headers off; underscores_in_headers on;
    location / {{
      proxy_pass {url}; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header Connection "";
      proxy_set_header X-Spoken $server_protocol;
    }}
"""
NOT_SENT = frozenset(
    (*(name.lower() for name in MARKERS), b"host", b"x-spoken", b"content-length", b"transfer-encoding")
)
HEADERS = (
    (b"X-First", b"1"),
    (b"x-dup", b"a"),
    (b"Accept", b"*/*"),
    (b"X-Dup", b"b"),
    (b"x_under.score~!", b"caf\xe9 \t two  spaces"),
    (b"X-Empty", b""),
    (b"Content-Type", b"application/x-\xff"),
    (b"X-Long", b"v" * 3000),
)
BODIES = {
    "binary": bytes(range(256)) * 3,
    "empty": b"",
    "line-ends": b"\r\n0\r\n\r\n",
    "large": random.Random(1).randbytes(9_000_000),
}


@pytest.fixture(scope="module")
def behind() -> Iterator[RecordingServer]:
    with RecordingServer(answering()) as running:
        yield running


@pytest.fixture(scope="module", params=["http2", "ssl http2"], ids=["prior-knowledge", "tls"])
def worker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, behind: RecordingServer
) -> Iterator[WorkerProcess]:
    """A worker whose destination is nginx: by prior knowledge, and by what TLS agrees on."""
    directory = tmp_path_factory.mktemp("nginx")
    authority = Authority(directory)
    version = "auto" if "ssl" in request.param else "2"
    with (
        nginx(directory, authority, PASS_ON.format(url=behind.url), options=request.param) as url,
        WorkerProcess() as running,
    ):
        tls = Tls(ca=authority.file.read_bytes())
        running.set_up(spec_of(destination(url, http_version=version, tls=tls, host="preserve")))
        yield running


def the_only(behind: RecordingServer) -> Message:
    (got,) = behind.wait_for(1)
    behind.forget()
    return got


def as_sent(got: Message) -> list[tuple[bytes, bytes]]:
    """All fields but the markers, those that nginx was told to set, and the framing, which is nginx's own."""
    return [field for field in got.headers if field[0].lower() not in NOT_SENT]


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_whole_request(worker: WorkerProcess, behind: RecordingServer, method: bytes, body: bytes) -> None:
    length = (b"Content-Length", b"%d" % len(body))
    sent = request(b"/a%2Fb//c?q=%20&q=", method, [*HEADERS, length])
    assert worker.wait_for_end(worker.mirror(sent, body)[0]) == ("delivered", "2xx")
    got = the_only(behind)
    assert (got.method, got.target, got.body) == (method, b"/a%2Fb//c?q=%20&q=", body)
    assert (got.header("host"), got.header("x-spoken")) == (b"api.test", b"HTTP/2.0")
    assert got.header("content-length") == length[1]
    assert as_sent(got) == [(name.lower(), value) for name, value in HEADERS]


@pytest.mark.parametrize("known", [True, False], ids=["known-length", "chunked"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_in_pieces(worker: WorkerProcess, behind: RecordingServer, known: bool, body: bytes) -> None:
    framing = (b"Content-Length", b"%d" % len(body)) if known else (b"Transfer-Encoding", b"chunked")
    (number,) = worker.mirror(request(b"/", b"POST", [*HEADERS, framing], flow="pieces"), streamed=True)
    for at in range(0, len(body), 700_001):
        worker.send(Chunk("pieces"), body[at : at + 700_001])
    worker.send(ChunkEnd("pieces"))
    assert worker.wait_for_end(number) == ("delivered", "2xx")
    got = the_only(behind)
    assert (got.header("x-spoken"), got.body) == (b"HTTP/2.0", body)
    assert as_sent(got) == [(name.lower(), value) for name, value in HEADERS]
