"""The worker's small pure parts."""

from __future__ import annotations

import asyncio
import doctest
import errno
import importlib
import pkgutil

import msgspec
import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import traffic_mirror.worker
from tests.worker.driver import destination
from traffic_mirror.compare import Verdict, Way
from traffic_mirror.ledger import Count, RowKey
from traffic_mirror.wire.frames import Ended, Ending, Judged, ToEdge, VerdictCount
from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.address import Address, is_own_host, parse_address
from traffic_mirror.worker.comparison import plain
from traffic_mirror.worker.curl_errors import reason_of
from traffic_mirror.worker.curl_options import destination_options
from traffic_mirror.worker.histogram import Histogram
from traffic_mirror.worker.messages import sound_fields
from traffic_mirror.worker.notes import Notes
from traffic_mirror.worker.report import Report
from traffic_mirror.worker.sender import parse_head
from traffic_mirror.worker.upload import Feed, declared_size

MODULES = [
    module.name
    for module in pkgutil.iter_modules(traffic_mirror.worker.__path__, "traffic_mirror.worker.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={"Destination": _plain_destination}).failed == 0


def _plain_destination(**fields: object) -> object:
    return destination(str(fields["url"]))


@given(st.lists(st.floats(0, 100)))
def test_a_histogram_counts_all(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    cumulative = histogram.cumulative()
    assert cumulative[-1][0] == "+Inf"
    assert histogram.sum == pytest.approx(sum(values))
    assert cumulative[-1][1] == len(values)
    for bound, count in cumulative[:-1]:
        assert count == sum(value <= float(bound) for value in values)


def test_notes_are_said_at_once_and_then_seldom() -> None:
    said: list[str] = []
    notes = Notes(said.append)
    for second in range(25):
        notes.add("shadow", "failed", "dns", "no such name", float(second))
    notes.add("shadow", "failed", "connect", "", 24.0)
    assert said == [
        "destination shadow: a copy failed: dns (no such name)",
        "destination shadow: a copy failed: dns (no such name), 9 more since this was last said",
        "destination shadow: a copy failed: dns (no such name), 9 more since this was last said",
        "destination shadow: a copy failed: connect",
    ]


def test_the_accounts_add_up() -> None:
    accounts = Accounts()
    accounts.set_base(
        (Count("a", "r", "d", "delivered", "2xx", 5),), (VerdictCount("a", "r", "d", "match", 2),)
    )
    accounts.set_tally((Count("a", "r", "d", "skipped", "loop", 9),), paused=False)
    accounts.set_tally((Count("a", "r", "d", "skipped", "loop", 3),), paused=True)
    row = accounts.own.row("a", "r", "d")
    row.selected = 4
    row.end("delivered", "2xx", 3)
    row.judge("match")
    whole = accounts.whole()
    assert (whole.selected, whole.in_flight) == (12, 1)
    assert whole.outcomes() == {"delivered": 8, "failed": 0, "dropped": 0, "skipped": 3, "sampled_out": 0}
    assert whole.verdicts() == {"match": 3, "differ": 0, "incomparable": 0}
    assert accounts.paused


def test_what_accounts_keep_is_taken_up_again() -> None:
    before, after = Accounts(), Accounts()
    before.histogram("d").observe(0.5)
    before.latencies.add("r", "d", 0.2, 0.3)
    before.history.answered("d", 0.2)
    before.groups.add(Way("a", "r", "d", "GET /"), Verdict(verdict="match"), "f", 1.0)
    before.baselines.learn("r", "GET /", Verdict(verdict="match"))
    after.histogram("d").observe(0.5)
    after.restore(before.keep())
    assert after.histogram("d").total == 2
    assert after.latencies.listing() == before.latencies.listing() != []
    assert after.history.recent["d"].latency.primary.count == 1
    assert after.groups.of(Way("a", "r", "d", "GET /")) == 1
    assert after.baselines.lesson("r", "GET /").baseline == 1


@given(
    st.binary(max_size=100)
    | st.recursive(
        st.none() | st.integers(-5, 5) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(("seconds", "latencies", "groups", "pairs", "baselines")), inner
            )
        ),
        max_leaves=10,
    ).map(msgspec.msgpack.encode)
)
def test_anything_else_that_was_kept_does_no_harm(kept: bytes) -> None:
    Accounts().restore(kept)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        (":9464", ("127.0.0.1", 9464)),
        (" 0.0.0.0:1 ", ("0.0.0.0", 1)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "localhost", "9464", "host:", "host:-1", "host:65536", "::1:80", "h:8x", "h:²"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected host:port, as in 127\.0\.0\.1:9464 or \[::1\]:9464"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "listen", "own"),
    [
        ("127.0.0.1:1", "127.0.0.1", True),
        ("LOCALHOST", "127.0.0.1", True),
        ("box.test:9", "box.test", True),
        ("10.0.0.7:9", "10.0.0.7", True),
        ("10.0.0.8:9", "10.0.0.7", False),
        ("evil.test", "0.0.0.0", False),
        ("10.0.0.8", "0.0.0.0", True),
        ("[fe80::1]:9", "::", True),
        ("", "127.0.0.1", False),
        ("127.0.0.1.evil.test", "127.0.0.1", False),
        ("[::1]:80", "127.0.0.1", True),
        ("[::1].evil.test", "127.0.0.1", False),
        ("[::1]@evil.test", "127.0.0.1", False),
        ("127.0.0.1:80:evil.test", "127.0.0.1", False),
        ("::1", "127.0.0.1", False),
    ],
)
def test_own_hosts(host: str, listen: str, own: bool) -> None:
    assert is_own_host(host, Address(listen, 1)) == own


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (pycurl.E_OUT_OF_MEMORY, "", "no_socket"),
        (pycurl.E_COULDNT_RESOLVE_HOST, "", "dns"),
        (pycurl.E_COULDNT_CONNECT, "", "connect"),
        (pycurl.E_PEER_FAILED_VERIFICATION, "", "tls"),
        (pycurl.E_SSL_CACERT_BADFILE, "error adding trust anchors from file: cacert.pem", "no_socket"),
        (pycurl.E_SSL_CACERT_BADFILE, "error adding trust anchors from certificate blob: 77", "tls"),
        (pycurl.E_OPERATION_TIMEDOUT, "", "timeout"),
        (pycurl.E_RECV_ERROR, "Recv failure: Connection reset by peer", "reset"),
        (pycurl.E_RECV_ERROR, "Too large response headers: 1 > 2", "protocol"),
        (pycurl.E_SEND_ERROR, "Send failure: Broken pipe", "reset"),
        (pycurl.E_SEND_ERROR, "Failed to connect to h:1 after 0 ms: Failed sending data", "connect"),
        (pycurl.E_GOT_NOTHING, "", "reset"),
        (pycurl.E_HTTP2, "", "protocol"),
        (97, "", "proxy"),
        (-1, "", "other"),
    ],
)
def test_reasons(code: int, message: str, reason: str) -> None:
    assert reason_of(code, message, errno.ECONNREFUSED) == reason


@pytest.mark.parametrize("lack", [0, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL])
def test_a_connection_that_the_worker_could_not_begin_had_no_socket(lack: int) -> None:
    assert reason_of(pycurl.E_COULDNT_CONNECT, "Could not connect to server", lack) == "no_socket"


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        ([b"HTTP/1.1 200 OK\r\n", b"A: 1\r\n", b"a:2 \r\n", b"\r\n"], ((b"A", b"1"), (b"a", b"2"))),
        ([b"HTTP/1.1 103 E\r\n", b"L: x\r\n", b"\r\n", b"HTTP/1.1 200\r\n", b"\r\n"], ()),
        (
            [b"HTTP/2 200 \r\n", b"a: b:c\r\n", b"\r\n", b"grpc-status: 0\r\n"],
            ((b"a", b"b:c"), (b"grpc-status", b"0")),
        ),
        ([], ()),
    ],
    ids=["plain", "interim-first", "trailers", "none"],
)
def test_heads_are_parsed(lines: list[bytes], fields: object) -> None:
    assert parse_head(lines) == fields


def test_no_option_lets_the_environment_or_a_file_in() -> None:
    options = dict(destination_options(destination("http://h:1")))
    assert options[pycurl.PROXY] == ""
    assert options[pycurl.NOPROXY] == "*"
    assert options[pycurl.FOLLOWLOCATION] == 0
    assert options[pycurl.PROTOCOLS] == pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS


class Frames:
    def __init__(self) -> None:
        self.sent: list[ToEdge] = []

    def send(self, frame: ToEdge, body: bytes = b"") -> None:
        self.sent.append(frame)


async def test_endings_are_told_before_their_verdicts() -> None:
    frames = Frames()
    report = Report(frames, asyncio.get_running_loop())
    report.judged(RowKey("a", "r", "d"), "match")
    report.ended(Ending(1, "delivered", "2xx"), urgent=False)
    report.judged(RowKey("a", "r", "d"), "match")
    report.ended(Ending(2, "delivered", "2xx"), urgent=True)
    assert frames.sent == [
        Ended((Ending(1, "delivered", "2xx"), Ending(2, "delivered", "2xx"))),
        Judged((VerdictCount("a", "r", "d", "match", 2),)),
    ]
    report.flush()
    assert len(frames.sent) == 2


async def test_a_batch_is_told_when_it_is_full() -> None:
    frames = Frames()
    report = Report(frames, asyncio.get_running_loop())
    for number in range(600):
        report.ended(Ending(number, "delivered", "2xx"), urgent=False)
    assert [len(frame.endings) for frame in frames.sent if isinstance(frame, Ended)] == [256, 256]
    report.flush()


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 7), min_size=1))
def test_a_feed_gives_what_it_was_given(pieces: list[bytes], sizes: list[int]) -> None:
    feed = Feed(10_000, None)
    for piece in pieces:
        assert feed.push(piece)
    feed.end()
    got, turn = b"", 0
    while taken := feed._read(sizes[turn % len(sizes)]):
        assert isinstance(taken, bytes)
        got, turn = got + taken, turn + 1
    assert got == b"".join(pieces)


def test_a_feed_pauses_and_has_a_bound() -> None:
    feed = Feed(10, None)
    assert feed._read(5) == pycurl.READFUNC_PAUSE
    assert feed.push(b"x" * 10)
    assert not feed.push(b"x")
    assert feed._read(5) == b"x" * 5
    assert feed.push(b"y" * 5)


@pytest.mark.parametrize(
    ("value", "size"), [(b"12", 12), (b"0", 0), (b"x", None), (b"-1", None), (b"", None)]
)
def test_declared_sizes(value: bytes, size: int | None) -> None:
    assert declared_size(((b"content-LENGTH", value),)) == size
    assert declared_size(()) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800") | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("\udfff") | st.integers(), inner),
    max_leaves=10,
)


@given(anything)
def test_plain_values_can_be_sent_and_written(value: object) -> None:
    plainly = plain(value)
    msgspec.msgpack.encode(plainly)
    msgspec.json.encode(plainly)


@pytest.mark.parametrize("name", [b":status", b"connection", b"transfer-encoding", b"X-A"])
def test_a_field_that_no_answer_of_http_2_may_have(name: bytes) -> None:
    with pytest.raises(ValueError, match="no answer may have"):
        sound_fields([(b"a", b"1"), (name, b"2")])
