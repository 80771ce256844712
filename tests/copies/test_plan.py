"""What a client's request becomes for a destination, field by field."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traffic_mirror.copies import Copy, Plan, Unredactable, compile_plan, trace_id_of, without_credentials
from traffic_mirror.copies.request import Fields, FrozenRequest
from traffic_mirror.spec.model import Api, Compare, Destination, Markers, Redact, Rule, TykMatching

ID = "6f1c2e1a-0000-4000-8000-000000000001"
SENT = FrozenRequest(
    id=ID,
    method=b"POST",
    scheme="https",
    host="api.test",
    port=443,
    authority=b"api.test:444",
    target=b"/users/42?x=1",
    http_version="HTTP/1.1",
    headers=(),
    body=None,
    time=1795458313.9,
)
TO = Destination(name="shadow", url="http://shadow.test:81", scheme="http", hostname="shadow.test", port=81)
API = Api(name="a")
RULE = Rule(name="r", path="/")
PLAIN = Markers()
MARKERS: Fields = (
    (b"X-Traffic-Mirror", b"true"),
    (b"X-Traffic-Mirror-Source", b"api.test"),
    (b"X-Traffic-Mirror-Timestamp", b"1795458313"),
    (b"X-Traffic-Mirror-Id", ID.encode()),
)


def to(**changes: object) -> Destination:
    return msgspec.structs.replace(TO, **changes)


def rule(**changes: object) -> Rule:
    return msgspec.structs.replace(RULE, **changes)


def sent(*headers: tuple[str, str], **changes: object) -> FrozenRequest:
    fields = tuple((name.encode(), value.encode("latin-1")) for name, value in headers)
    return msgspec.structs.replace(SENT, headers=fields, **changes)


def copy(
    request: FrozenRequest,
    body: bytes | None = b"",
    destination: Destination = TO,
    of: Rule = RULE,
    api: Api = API,
    markers: Markers = PLAIN,
) -> Copy:
    return compile_plan(markers, api, of, destination).copy(request, body)


def fields(made: Copy) -> list[tuple[str, str]]:
    """The header fields but for the markers, which come last."""
    own = made.headers[: -len(MARKERS)]
    assert made.headers[-len(MARKERS) :] == MARKERS
    return [(name.decode(), value.decode("latin-1")) for name, value in own]


def test_a_copy_is_what_the_client_sent_and_markers() -> None:
    made = copy(sent(("Host", "api.test"), ("X-b", "1"), ("x-B", "2"), ("Accept", "*/*"), ("X-b", "")))
    assert made == Copy(
        method=b"POST",
        scheme="http",
        hostname="shadow.test",
        port=81,
        target=b"/users/42?x=1",
        host=b"shadow.test:81",
        headers=((b"X-b", b"1"), (b"x-B", b"2"), (b"Accept", b"*/*"), (b"X-b", b""), *MARKERS),
        body=b"",
        shown_url="http://shadow.test:81/users/42?x=1",
        text_size=len(b"POST/users/42?x=1shadow.test:81") + sum(len(a + b) for a, b in made.headers),
    )


TARGETS = [
    b"/", b"/a/../b", b"//", b"//a//", b"/%2F%2f", b"/a b", b"/caf\xc3\xa9\xff", b"/x?", b"/?",
    b"/?a=1&a=2&&b", b"/x?a=?&b=/%20+", b"/{id}", b"/x#y", b"/;a=b", b"*", b"", b"/%", b"/\t",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_travels_as_it_is(target: bytes) -> None:
    assert copy(sent(target=target)).target == target


REWRITES = [
    ("base path", {"base_path": "/base"}, b"/users//../%2F?x=1", b"/base/users//../%2F?x=1"),
    ("base path and root", {"base_path": "/base"}, b"/", b"/base/"),
    ("base path and bare ?", {"base_path": "/base"}, b"/x?", b"/base/x?"),
    ("base query first", {"base_query": "t=1&x=0"}, b"/a?x=1&x=2", b"/a?t=1&x=0&x=1&x=2"),
    ("base query alone", {"base_query": "t=1"}, b"/a", b"/a?t=1"),
    ("base query and bare ?", {"base_query": "t=1"}, b"/a?", b"/a?t=1"),
    ("base query and ? in it", {"base_query": "t=?"}, b"/a?b?c", b"/a?t=?&b?c"),
    ("both", {"base_path": "/b", "base_query": "t=1"}, b"/a?x", b"/b/a?t=1&x"),
    ("asterisk", {"base_path": "/b", "base_query": "t=1"}, b"*", b"*"),
    ("absolute", {"base_path": "/b"}, b"http://u:p@h:80/a?x", b"/b/a?x"),
    ("absolute alone", {}, b"http://h", b"/"),
    ("absolute with query", {}, b"https://h?x=1", b"/?x=1"),
]


@pytest.mark.parametrize(
    ("base", "target", "expected"), [case[1:] for case in REWRITES], ids=[c[0] for c in REWRITES]
)
def test_a_target_goes_below_the_destinations_base(
    base: dict[str, str], target: bytes, expected: bytes
) -> None:
    assert copy(sent(target=target), destination=to(**base)).target == expected


STRIPS = [
    ("/users-api/", False, b"/users-api/x?y", b"/x?y"),
    ("/users-api", False, b"/users-api/x", b"/x"),
    ("/users-api/", False, b"/users-api/", b"/"),
    ("/users-api/", False, b"/users-api", b"/"),
    ("/users-api/", False, b"/users-api?x", b"/?x"),
    ("/users-api/", False, b"/users%2Dapi//x/../%2f", b"//x/../%2f"),
    ("/a/b/", False, b"/a/b/c/d", b"/c/d"),
    ("/{t}/b/", False, b"/%2F%20/b/c", b"/c"),
    ("/{t:[^/]+}/b/", False, b"/x/b/c", b"/c"),
    ("/{t}/b/", True, b"/x/b/c%2Fd", b"/c%2Fd"),
    ("/a/b/", True, b"/a%2Fb/c", b"/c"),
    ("/a/b/", True, b"/a/b%2fc", b"/c"),
    ("/", False, b"/x", b"/x"),
]


@pytest.mark.parametrize(("listen", "tyk", "target", "expected"), STRIPS)
def test_the_listen_path_is_cut_off_where_the_api_says_so(
    listen: str, tyk: bool, target: bytes, expected: bytes
) -> None:
    api = Api(name="a", listen_path=listen, strip_listen_path=True, tyk=TykMatching() if tyk else None)
    assert copy(sent(target=target), api=api).target == expected
    kept = msgspec.structs.replace(api, strip_listen_path=False)
    assert copy(sent(target=target), api=kept).target == target


HOSTS = [
    ("destination", {}, {}, b"shadow.test:81"),
    ("default port", {"port": 80}, {}, b"shadow.test"),
    ("default port of https", {"scheme": "https", "port": 443}, {}, b"shadow.test"),
    ("the other's default port", {"scheme": "https", "port": 80}, {}, b"shadow.test:80"),
    ("IPv6", {"hostname": "::1"}, {}, b"[::1]:81"),
    ("unix socket", {"hostname": "localhost", "unix_socket": "/s"}, {}, b"localhost"),
    ("preserve", {"host": "preserve"}, {}, b"api.test:444"),
    ("literal", {"host": "x.test:1"}, {}, b"x.test:1"),
    ("own header", {"headers": (("hOST", "h.test"),)}, {}, b"h.test"),
    ("own header over host", {"headers": (("Host", "h.test"),), "host": "preserve"}, {}, b"h.test"),
    ("rule's header", {}, {"headers": (("Host", "r.test"),)}, b"r.test"),
    (
        "own host over rule's header",
        {"host": "preserve"},
        {"headers": (("Host", "r.test"),)},
        b"api.test:444",
    ),
    (
        "own header over rule's",
        {"headers": (("Host", "h.test"),)},
        {"headers": (("Host", "r.test"),)},
        b"h.test",
    ),
    ("removing it changes nothing", {"remove_headers": ("Host",)}, {}, b"shadow.test:81"),
]


@pytest.mark.parametrize(
    ("own", "rules", "expected"), [case[1:] for case in HOSTS], ids=[case[0] for case in HOSTS]
)
def test_the_host_a_copy_asks_for(own: dict[str, object], rules: dict[str, object], expected: bytes) -> None:
    made = copy(sent(("Host", "api.test:444")), destination=to(**own), of=rule(**rules))
    assert made.host == expected
    assert fields(made) == []


def test_a_preserved_host_has_no_user_info_and_is_never_empty() -> None:
    assert copy(sent(authority=b"u:p@h:1"), destination=to(host="preserve")).host == b"h:1"
    assert copy(sent(authority=b""), destination=to(host="preserve")).host == b"api.test"


A, X, Z = ("A", "1"), [("x-a", "1"), ("X-A", "2")], ("Z", "9")
SET = [
    ("new", {"headers": (("X-New", "1"),)}, {}, [A, *X, Z, ("X-New", "1")]),
    ("in place", {"headers": (("X-a", "s"),)}, {}, [A, ("X-a", "s"), Z]),
    ("own wins", {"headers": (("X-a", "s"),)}, {"headers": (("X-A", "d"),)}, [A, ("X-A", "d"), Z]),
    ("removed", {"remove_headers": ("X-A",)}, {}, [A, Z]),
    ("own removal", {}, {"remove_headers": ("X-A", "a")}, [Z]),
    ("own after removal", {"remove_headers": ("X-A",)}, {"headers": (("X-A", "d"),)}, [A, ("X-A", "d"), Z]),
    ("own removal of a set one", {"headers": (("X-A", "s"),)}, {"remove_headers": ("x-a",)}, [A, Z]),
    (
        "in order",
        {"headers": (("R", "1"), ("B", "r"))},
        {"headers": (("D", "2"), ("B", "d"))},
        [A, *X, Z, ("R", "1"), ("B", "d"), ("D", "2")],
    ),
    ("framing", {"headers": (("Connection", "close"), ("Content-Length", "7"))}, {}, [A, *X, Z]),
    ("markers", {"headers": (("X-Traffic-Mirror", "no"), ("X-Traffic-Mirror-Id", "x"))}, {}, [A, *X, Z]),
]


@pytest.mark.parametrize(("rules", "own", "expected"), [c[1:] for c in SET], ids=[c[0] for c in SET])
def test_headers_are_set_and_removed(
    rules: dict[str, object], own: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert fields(copy(sent(A, *X, Z), destination=to(**own), of=rule(**rules))) == expected


def test_what_belongs_to_one_connection_stays_behind() -> None:
    request = sent(
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("connection", "x-OTHER"),
        ("X-Other", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Proxy-Authenticate", "Basic"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABk"),
        ("Expect", "100-continue"),
        ("Transfer-Encoding", "chunked"),
        ("Trailer", "X-T"),
        ("TE", "gzip"),
        (":authority", "api.test"),
        (":path", "/"),
        ("X-Stays", "1"),
    )
    assert fields(copy(request, b"")) == [("X-Stays", "1"), ("Content-Length", "0")]


def test_connection_does_not_take_away_what_we_set() -> None:
    request = sent(
        ("Connection", "X-Set, Content-Length, TE, X-Traffic-Mirror"), ("TE", "trailers"), ("X-Set", "0")
    )
    made = copy(request, b"ab", of=rule(headers=(("X-Set", "1"),)))
    assert fields(made) == [("TE", "trailers"), ("X-Set", "1"), ("Content-Length", "2")]


@pytest.mark.parametrize(
    ("version", "scheme", "to_version", "kept"),
    [
        ("HTTP/1.1", "http", "auto", False),
        ("HTTP/2.0", "http", "auto", True),
        ("HTTP/2.0", "https", "auto", True),
        ("HTTP/3", "http", "2", True),
        ("HTTP/2.0", "https", "3", True),
        ("HTTP/2.0", "https", "1.1", True),
    ],
)
def test_trailers_are_announced_where_they_can_follow(
    version: str, scheme: str, to_version: str, kept: bool
) -> None:
    destination = to(scheme=scheme, http_version=to_version)
    made = copy(sent(("trailer", "x-t"), http_version=version), destination=destination)
    assert ((b"trailer", b"x-t") in made.headers) is kept


def test_te_is_kept_as_far_as_it_reaches_the_other_end() -> None:
    made = copy(sent(("te", "gzip;q=0.5, Trailers"), ("content-type", "application/grpc")))
    assert fields(made) == [("te", "trailers"), ("content-type", "application/grpc")]


LENGTHS = [
    ("none", (), b"", []),
    ("get with 0", (("Content-Length", "0"),), b"", [("Content-Length", "0")]),
    ("as sent", (("content-length", "2"), ("X", "1")), b"ab", [("content-length", "2"), ("X", "1")]),
    ("twice", (("Content-Length", "2"), ("Content-Length", "2")), b"ab", [("Content-Length", "2")]),
    ("wrong", (("Content-Length", "99"),), b"ab", [("Content-Length", "2")]),
    ("chunked", (("Transfer-Encoding", "chunked"), ("X", "1")), b"ab", [("X", "1"), ("Content-Length", "2")]),
    ("chunked and empty", (("Transfer-Encoding", "chunked"),), b"", [("Content-Length", "0")]),
    ("missing", (("X", "1"),), b"ab", [("X", "1"), ("Content-Length", "2")]),
    ("streamed", (("Content-Length", "99"), ("X", "1")), None, [("Content-Length", "99"), ("X", "1")]),
    ("streamed in chunks", (("Transfer-Encoding", "chunked"), ("X", "1")), None, [("X", "1")]),
    ("streamed with both", (("Content-Length", "9"), ("Transfer-Encoding", "chunked")), None, []),
    (
        "both the other way",
        (("Transfer-Encoding", "chunked"), ("A", "1"), ("Content-Length", "9")),
        None,
        [("A", "1")],
    ),
]


@pytest.mark.parametrize(
    ("headers", "body", "expected"), [c[1:] for c in LENGTHS], ids=[c[0] for c in LENGTHS]
)
def test_the_length_is_the_bodys(
    headers: tuple[tuple[str, str], ...], body: bytes | None, expected: list[tuple[str, str]]
) -> None:
    made = copy(sent(*headers), body)
    assert fields(made) == expected
    assert made.body == body


def test_cookies_that_http2_split_are_one_again() -> None:
    headers = (("cookie", "a=1"), ("x", "1"), ("cookie", "b=2"), ("cookie", "c=3"))
    joined = [("cookie", "a=1; b=2; c=3"), ("x", "1")]
    assert fields(copy(sent(*headers, http_version="HTTP/2.0"))) == joined
    assert fields(copy(sent(*headers, http_version="HTTP/3"))) == joined
    assert fields(copy(sent(*headers))) == list(headers)


@pytest.mark.parametrize("version", ["2", "3"])
def test_names_are_in_lower_case_where_the_protocol_has_it_so(version: str) -> None:
    made = copy(sent(("X-A", "1")), destination=to(http_version=version, headers=(("X-Env", "s"),)))
    assert [name for name, _ in made.headers] == [b"x-a", b"x-env", *(name.lower() for name, _ in MARKERS)]


def test_markers_of_the_clients_own_are_not_believed() -> None:
    made = copy(
        sent(
            ("x-traffic-mirror-source", "evil"), ("X-Traffic-Mirror-Id", "1"), ("X-Traffic-Mirror-Other", "2")
        )
    )
    assert fields(made) == [("X-Traffic-Mirror-Other", "2")]


@pytest.mark.parametrize(
    ("markers", "api", "names"),
    [
        (Markers(prefix="X-Copy"), API, ["X-Copy", "X-Copy-Source", "X-Copy-Timestamp", "X-Copy-Id"]),
        (Markers(only_marker=True), API, ["X-Traffic-Mirror"]),
        (
            Markers(),
            Api(name="t", tyk=TykMatching(), markers=Markers(prefix="X-Tyk-Mirror", with_id=False)),
            ["X-Tyk-Mirror", "X-Tyk-Mirror-Source", "X-Tyk-Mirror-Timestamp"],
        ),
    ],
)
def test_markers_are_named_as_the_spec_says(markers: Markers, api: Api, names: list[str]) -> None:
    made = copy(sent(), markers=markers, api=api)
    assert [name.decode() for name, _ in made.headers] == names


def test_a_source_that_is_not_ascii_is_written_as_dns_has_it() -> None:
    assert (b"X-Traffic-Mirror-Source", b"xn--mnchen-3ya.test") in copy(sent(host="münchen.test")).headers
    assert (b"X-Traffic-Mirror-Source", "ä".encode() * 70) in copy(sent(host="ä" * 70)).headers


def compared(enabled: bool | None) -> Rule:
    return rule(compare=Compare(enabled=enabled))


def test_a_trace_context_is_made_where_answers_are_compared() -> None:
    (trace,) = [value for name, value in copy(sent(), of=compared(True)).headers if name == b"traceparent"]
    version, trace_id, span, flags = trace.split(b"-")
    assert (version, trace_id, flags) == (b"00", ID.replace("-", "").encode(), b"01")
    assert len(span) == 16
    assert span != copy(sent(), of=compared(True), destination=to(name="other")).headers[0][1].split(b"-")[2]
    assert trace == copy(sent(), of=compared(True)).headers[0][1]


@pytest.mark.parametrize("identity", ["short", "0" * 32, "Ü" * 32])
def test_a_trace_of_an_odd_id_is_well_formed(identity: str) -> None:
    trace = copy(sent(id=identity), of=compared(True)).headers[0][1].decode()
    _, trace_id, span, _ = trace.split("-")
    assert len(bytes.fromhex(trace_id)) == 16
    assert int(trace_id, 16)
    assert len(bytes.fromhex(span)) == 8


def test_a_trace_context_is_otherwise_the_clients_own_affair() -> None:
    def names(request: FrozenRequest, of: Rule, **more: object) -> list[bytes]:
        return [name.lower() for name, _ in copy(request, of=of, **more).headers]  # type: ignore[arg-type]

    theirs = ("Traceparent", "00-" + "1" * 32 + "-" + "2" * 16 + "-00")
    assert fields(copy(sent(theirs), of=compared(True))) == [theirs]
    assert b"traceparent" not in names(sent(), compared(None))
    assert b"traceparent" not in names(sent(), compared(False))
    assert b"traceparent" not in names(sent(), compared(True), markers=Markers(only_marker=True))
    assert b"traceparent" not in names(
        sent(), compared(True), destination=to(remove_headers=("traceparent",))
    )
    assert b"traceparent" not in names(
        sent(theirs), compared(True), destination=to(remove_headers=("traceparent",))
    )
    plan = compile_plan(Markers(), API, compared(None), TO, compared=True)
    assert plan.copy(sent(), b"").headers[0][0] == b"traceparent"


def test_redaction_masks_what_the_client_sent_and_not_what_the_spec_sets() -> None:
    of = rule(redact=Redact(headers=("Cookie", "X-Key"), query=("token",)), headers=(("X-Key", "set"),))
    destination = to(redact=Redact(headers=("x-secret",), query=("a b",)), base_query="token=base")
    request = sent(
        ("cookie", "a=1"),
        ("X-Key", "1"),
        ("X-Secret", "2"),
        ("x-secret", "3"),
        target=b"/x?token=1&tok%65n=2&Token=3&a+b=4&token&c=5&token=",
    )
    made = copy(request, of=of, destination=destination)
    assert fields(made) == [("cookie", "***"), ("X-Key", "set"), ("X-Secret", "***"), ("x-secret", "***")]
    assert made.target == b"/x?token=base&token=***&tok%65n=***&Token=3&a+b=***&token&c=5&token=***"


def test_redaction_in_a_body_changes_its_length() -> None:
    of = rule(redact=Redact(json=("$.user.email",)))
    request = sent(("Content-Type", "application/json"), ("Content-Length", "40"))
    made = copy(request, b'{"user": {"email": "a@b.test", "n": 1.10}}', of=of)
    assert made.body == b'{"user":{"email":"***","n":1.10}}'
    assert fields(made)[1] == ("Content-Length", str(len(made.body)))
    with pytest.raises(Unredactable, match="streamed"):
        copy(request, None, of=of)


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "a\r\nX-Injected: 1"])
def test_nothing_smuggles_a_line_in(bad: str) -> None:
    for request in (
        sent(("X", bad)),
        sent(("X" + bad, "1")),
        sent(target=b"/" + bad.encode()),
        sent(method=bad.encode()),
        sent(host=bad),
    ):
        with pytest.raises(ValueError, match="expected n"):
            copy(request)
    with pytest.raises(ValueError, match="expected n"):
        copy(sent(authority=bad.encode()), destination=to(host="preserve"))
    with pytest.raises(ValueError, match="expected n"):
        copy(sent(), of=rule(headers=(("X", bad),)))


@pytest.mark.parametrize("name", ["", "X Y", "X:Y", "X\t"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected no space, colon or control"):
        copy(sent((name, "1")))


def test_a_name_of_odd_bytes_is_not() -> None:
    request = msgspec.structs.replace(SENT, headers=((b"X-\xe9{}", b"\xff\x01 "),))
    assert copy(request).headers[0] == (b"X-\xe9{}", b"\xff\x01 ")


def test_shown_urls_are_plain_text() -> None:
    made = copy(sent(target=b"/caf\xe9 x?\xc3\xa9"))
    assert made.shown_url == "http://shadow.test:81/caf%E9 x?%C3%A9"


def test_many_names_are_not_remembered_for_good() -> None:
    plan = compile_plan(Markers(), API, RULE, TO)
    for number in range(2000):
        name = f"X-{number}"
        assert fields(plan.copy(sent((name, "1")), b"")) == [(name, "1")]
    assert len(plan._actions) < 1000


def test_credentials_for_the_proxy_are_left_out() -> None:
    plain: Fields = ((b"Authorization", b"a"), (b"Proxy-Connection", b"b"), (b"X-Proxy-Authorization", b"c"))
    assert without_credentials(plain) is plain
    assert without_credentials((*plain, (b"pRoxy-Authorization", b"d"))) == plain


NAMES = st.text("abcXYZ-_!09", min_size=1, max_size=8).map(lambda name: f"X-{name}".encode())
VALUES = st.binary(max_size=20).map(lambda value: value.translate(None, b"\r\n\0"))


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=20), st.binary(max_size=50), st.binary(max_size=50))
def test_all_else_arrives_unchanged(headers: list[tuple[bytes, bytes]], path: bytes, body: bytes) -> None:
    target = b"/" + path.translate(None, b"\r\n\0")
    request = msgspec.structs.replace(SENT, headers=tuple(headers), target=target)
    made = copy(request, body)
    length = ((b"Content-Length", b"%d" % len(body)),) if body else ()
    assert made.headers == (*headers, *length, *MARKERS)
    assert made.target == target
    assert made.body is body


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=8), st.binary(max_size=20)
)
def test_whatever_arrives_is_sent_safely_or_refused(
    headers: list[tuple[bytes, bytes]], target: bytes
) -> None:
    request = msgspec.structs.replace(SENT, headers=tuple(headers), target=target)
    try:
        made = copy(request, destination=to(base_path="/b", base_query="q=1"))
    except ValueError:
        return
    text = made.target + made.host + b"".join(name + value for name, value in made.headers)
    assert not any(byte in text for byte in b"\r\n\0")
    assert all(name and b":" not in name and b" " not in name for name, _ in made.headers)


def test_trailers_are_dropped_and_masked_as_fields_of_the_head_are() -> None:
    rule = Rule(
        name="r",
        path="/",
        redact=Redact(headers=("X-Card",)),
        remove_headers=("X-Inner",),
        headers=(("X-Set", "1"),),
    )
    trailers = (
        (b"x-card", b"4111"),
        (b"X-Inner", b"1"),
        (b"x-set", b"2"),
        (b"x-sum", b"3"),
        (b"content-length", b"5"),
        (b"transfer-encoding", b"chunked"),
        (b"host", b"h"),
        (b"bad", b"a\r\nb: c"),
        (b"no name", b""),
    )
    plan = compile_plan(Markers(), Api(name="a"), rule, to())
    assert plan.trailers(trailers) == ((b"x-card", b"***"), (b"x-sum", b"3"))


def redacting(redact: Redact) -> Plan:
    return compile_plan(Markers(), Api(name="a"), Rule(name="r", path="/", redact=redact), to())


def test_a_websocket_is_refused_where_bodies_are_to_be_masked() -> None:
    redacting(Redact(headers=("X-A",), query=("k",))).check_messages()
    with pytest.raises(Unredactable, match="not in a WebSocket's messages"):
        redacting(Redact(json=("$.a",))).check_messages()


def test_a_target_for_people_shows_no_masked_key() -> None:
    plan = redacting(Redact(query=("k",)))
    assert plan.mask(b"/x?k=1&k%20=2&%6b=3&K=4&k") == b"/x?k=***&k%20=2&%6b=***&K=4&k"


def test_a_masked_key_is_found_behind_a_semicolon_too() -> None:
    """Some servers take it for a separator, others for a part of the value: neither may get by."""
    plan = redacting(Redact(query=("k",)))
    assert plan.mask(b"/x?a=1;k=2;b=3&c=4;d&k=5;6") == b"/x?a=1;k=***&c=4;d&k=***"


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(f"00-{TRACE}-b7ad6b7169203331-01", TRACE, id="as-the-standard-has-it"),
        pytest.param(f"00-{'0' * 32}-b7ad6b7169203331-01", None, id="the-one-that-is-none"),
        pytest.param(TRACE, None, id="another-format"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_trace_that_a_copy_belongs_to(value: str, expected: str | None) -> None:
    assert trace_id_of(((b"Host", b"a"), (b"Traceparent", value.encode()))) == expected


def test_a_copy_without_a_trace_context_belongs_to_none() -> None:
    assert trace_id_of(((b"Host", b"a"),)) is None
