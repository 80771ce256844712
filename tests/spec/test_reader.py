"""What a valid spec means: every key's value, every default, inheritance, names, and several files as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from traffic_mirror.spec.model import (
    Baseline,
    CircuitBreaker,
    Compare,
    Destination,
    Markers,
    Match,
    Queue,
    Redact,
    Rule,
    SampleBy,
    Spec,
    Tls,
)
from traffic_mirror.spec.reader import parse_spec, read_spec
from traffic_mirror.spec.schema import load_schema

CONFIG = Path(__file__).parent.parent.parent / "config"


def read(text: str, **environ: str) -> Spec:
    return parse_spec([("s.yaml", text.encode())], environ)


def rule(settings: str, **environ: str) -> Rule:
    """The one rule of a spec, with `settings` in it."""
    text = "apis: [{traffic_mirror: [{path: /a, destinations: ['http://d.test'], %s}]}]"
    return read(text % settings, **environ).apis[0].rules[0]


def destination(settings: str, url: str = "http://d.test", **environ: str) -> Destination:
    """The one destination of a spec, with `settings` in it."""
    text = "destinations: {d: {url: '%s', %s}}\napis: [{traffic_mirror: [{path: /a, destinations: [d]}]}]"
    return read(text % (url, settings), **environ).destinations[0]


def test_the_smallest_spec_has_every_default() -> None:
    spec = read("apis: [{traffic_mirror: [{path: /a, destinations: ['http://d.test']}]}]")
    assert spec.markers == Markers()
    assert spec.destinations == (
        Destination(name="http://d.test", url="http://d.test", scheme="http", hostname="d.test", port=80),
    )
    assert spec.apis[0].rules == (Rule(name="/a", path="/a", destinations=(0,)),)
    assert (spec.apis[0].hosts, spec.apis[0].listen_path) == ((), "/")


FULL = """
version: 1
marker_headers: X-Copy
destinations:
  shadow:
    url: https://shadow.test:8443/base/?tenant=s
    timeout: 2s
    sample_rate: 0.5
    headers: {X-Env: shadow, X-Number: 007, X-Flag: true, Authorization: "Bearer ${TOKEN}"}
    remove_headers: [Cookie]
    host: preserve
    http_version: 1.1
    tls: {verify: false, ca_file: ca.pem, cert_file: client.pem, key_file: key.pem, server_name: a.test}
    proxy: socks5h://p.test:1080
    connect_to: 10.0.0.7
    max_in_flight: 8
    queue: {copies: 10, bytes: 1MiB, when_full: drop_oldest}
    circuit_breaker: {failures: 0.9, of: 5, within: 1m30s, open_for: 500ms}
    stream_buffer: 1MB
    max_response: 5
    redact: {headers: [X-Key], query: [token], json: [$.a]}
apis:
  - name: users
    hosts: [API.example.test, "*.api.example.test", "[::1]", bücher.test]
    listen_path: /users-api/
    strip_listen_path: true
    traffic_mirror:
      - name: read-user
        path: /users/{id}
        methods: [get, HEAD, GET]
        ignore_case: true
        disabled: true
        async: false
        sample_rate: 0.25
        sample_by: header:X-User-Id
        max_rate: 30/m
        match: {headers: {X-Beta: "^1$"}, query: {v: 2}, filter: "~bq needle"}
        headers: {X-Reason: canary}
        remove_headers: [X-Secret]
        max_body: 1KiB
        redact: {json: ["$..password"]}
        destinations: [shadow, {url: "http://127.0.0.1:9002", timeout: 1}]
        compare:
          baseline: {url: "http://127.0.0.1:9001", sample_rate: 0.1}
          ignore: ["header:X-Build", "body:$..etag"]
          only: [status]
          tolerance: {"body:$..score": 0.001}
          unordered: {"body:$.tags": true, "body:$.items": id}
          equivalent: [["https://old.test", "https://new.test"]]
          status: class
          max_bytes: 1MiB
"""


def test_every_key_has_its_meaning(tmp_path: Path) -> None:
    for name in ("ca", "client", "key"):
        (tmp_path / f"{name}.pem").write_bytes(b"-----BEGIN X-----\n" + name.encode())
    spec = parse_spec([("s.yaml", FULL.encode())], {"TOKEN": "t0ken"}, base_dir=tmp_path)
    assert spec.files == ("s.yaml",)
    assert spec.markers == Markers(prefix="X-Copy")
    assert spec.secrets == ("t0ken",)
    assert spec.destinations[0] == Destination(
        name="shadow",
        url="https://shadow.test:8443",
        scheme="https",
        hostname="shadow.test",
        port=8443,
        base_path="/base",
        base_query="tenant=s",
        connect_to="10.0.0.7:8443",
        timeout=2.0,
        sample_rate=0.5,
        headers=(
            ("X-Env", "shadow"),
            ("X-Number", "007"),
            ("X-Flag", "true"),
            ("Authorization", "Bearer t0ken"),
        ),
        remove_headers=("Cookie",),
        host="preserve",
        http_version="1.1",
        tls=Tls(
            verify=False,
            ca=b"-----BEGIN X-----\nca",
            cert=b"-----BEGIN X-----\nclient",
            key=b"-----BEGIN X-----\nkey",
            server_name="a.test",
        ),
        proxy="socks5h://p.test:1080",
        max_in_flight=8,
        queue=Queue(copies=10, bytes=1024 * 1024, when_full="drop_oldest"),
        circuit_breaker=CircuitBreaker(failures=0.9, of=5, within=90.0, open_for=0.5),
        stream_buffer=1_000_000,
        max_response=5,
        redact=Redact(headers=("X-Key",), query=("token",), json=("$.a",)),
    )
    assert [(each.name, each.timeout) for each in spec.destinations[1:]] == [
        ("http://127.0.0.1:9002", 1.0),
        ("http://127.0.0.1:9001", 5.0),
    ]
    (api,) = spec.apis
    assert api.hosts == ("api.example.test", "*.api.example.test", "::1", "xn--bcher-kva.test")
    assert (api.name, api.listen_path, api.strip_listen_path, api.tyk) == ("users", "/users-api/", True, None)
    assert api.rules[0] == Rule(
        name="read-user",
        path="/users/{id}",
        methods=("GET", "HEAD"),
        ignore_case=True,
        disabled=True,
        wait=True,
        sample_rate=0.25,
        sample_by=SampleBy(source="header", name="X-User-Id"),
        max_rate=0.5,
        match=Match(headers=(("X-Beta", "^1$"),), query=(("v", "2"),), filter="~bq needle"),
        headers=(("X-Reason", "canary"),),
        remove_headers=("X-Secret",),
        max_body=1024,
        destinations=(0, 1),
        redact=Redact(json=("$..password",)),
        compare=Compare(
            enabled=True,
            baseline=Baseline(destination=2, sample_rate=0.1),
            ignore=("header:X-Build", "body:$..etag"),
            only=("status",),
            tolerance=(("body:$..score", 0.001),),
            unordered=(("body:$.tags", True), ("body:$.items", "id")),
            equivalent=(("https://old.test", "https://new.test"),),
            status="class",
            max_bytes=1024 * 1024,
        ),
    )


def test_the_full_spec_uses_every_key_of_the_schema() -> None:
    definitions = load_schema()["$defs"]
    keys = {
        key
        for name in ("spec", "api", "rule", "match", "destination", "redact", "compare_policy")
        for key in definitions[name]["properties"]
    }
    unused = {key for key in keys if f"{key}:" not in FULL}
    # `method` stands beside `methods`; the others have tests of their own.
    assert unused == {"$schema", "method", "tyk", "websocket"}


@pytest.mark.parametrize(
    ("settings", "url", "headers"),
    [
        ("", "http://user:pass@d.test", (("Authorization", "Basic dXNlcjpwYXNz"),)),
        ("", "http://us%40er:p%3Ass@d.test", (("Authorization", "Basic dXNAZXI6cDpzcw=="),)),
        ("", "http://user@d.test", (("Authorization", "Basic dXNlcjo="),)),
        ("headers: {authorization: x}", "http://user:pass@d.test", (("authorization", "x"),)),
        ("", "http://d.test/@here", ()),
    ],
    ids=["user info", "escaped", "no password", "a header wins", "an @ in the path"],
)
def test_user_info_becomes_authorization(settings: str, url: str, headers: Any) -> None:
    made = destination(settings, url)
    assert made.headers == headers
    assert made.url == "http://d.test"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://D.test:443/", ("https://d.test", "https", "d.test", 443, "", "")),
        ("http://[::1]:8080/a//b/", ("http://[::1]:8080", "http", "::1", 8080, "/a//b", "")),
        ("http://d.test/%2f/a;b?x=%20&y", ("http://d.test", "http", "d.test", 80, "/%2f/a;b", "x=%20&y")),
        (
            "http://bücher.test/ü",
            ("http://xn--bcher-kva.test", "http", "xn--bcher-kva.test", 80, "/%C3%BC", ""),
        ),
        ("http://my_service:8080", ("http://my_service:8080", "http", "my_service", 8080, "", "")),
    ],
    ids=["upper case", "IPv6", "raw path and query", "not ASCII", "a container's name"],
)
def test_a_url_is_taken_apart_and_kept_as_it_is(url: str, expected: tuple[object, ...]) -> None:
    made = destination("", url)
    assert (made.url, made.scheme, made.hostname, made.port, made.base_path, made.base_query) == expected


def test_a_unix_socket_is_a_destination() -> None:
    made = destination("", "http+unix:///run/my%20app.sock?x=1")
    assert (made.unix_socket, made.url, made.base_query) == ("/run/my app.sock", "http://localhost", "x=1")


def test_a_destination_may_go_directly_whatever_the_proxy_s_own_way() -> None:
    assert destination("").proxy is None
    assert destination("proxy: direct").proxy == ""
    assert destination("proxy: direct, http_version: 3", "https://d.test").proxy == ""
    assert destination("proxy: direct", "http+unix:///run/a.sock").proxy == ""


@pytest.mark.parametrize(
    ("written", "version"),
    [("1.1", "1.1"), ("'1.1'", "1.1"), ("2", "2"), ("2.0", "2"), ("auto", "auto"), ("'3'", "3")],
)
def test_an_http_version_may_look_like_a_number(written: str, version: str) -> None:
    assert destination(f"http_version: {written}", "https://d.test").http_version == version


@pytest.mark.parametrize(
    ("written", "sample_by"),
    [
        ("client_ip", SampleBy(source="client_ip")),
        ("path", SampleBy(source="path")),
        ("cookie:sid", SampleBy(source="cookie", name="sid")),
    ],
)
def test_sample_by_names_its_source(written: str, sample_by: SampleBy) -> None:
    assert rule(f"sample_by: '{written}'").sample_by == sample_by


@pytest.mark.parametrize(
    ("written", "markers"),
    [
        ("true", Markers()),
        ("false", Markers(only_marker=True)),
        ("X-Shadow", Markers(prefix="X-Shadow")),
    ],
)
def test_marker_headers_rename_or_turn_off(written: str, markers: Markers) -> None:
    text = f"marker_headers: {written}\napis: [{{traffic_mirror: [{{path: /, destinations: ['http://d']}}]}}]"
    assert read(text).markers == markers


class TestEnvironment:
    """`${…}` in values."""

    def test_it_is_replaced_anywhere_and_kept_secret_in_names(self) -> None:
        made = rule("name: 'r-${A}', headers: {X: '${A}-${B:-none}-${C:-}'}", A="secret", C="")
        assert (made.name, made.headers) == ("r-***", (("X", "secret-none-"),))

    def test_a_plain_value_is_typed_after_it_is_replaced(self) -> None:
        text = "destinations:\n  d:\n    url: http://d.test\n"
        text += "    sample_rate: ${RATE:-0.5}\n    timeout: ${T:-2s}\n"
        text += "apis: [{traffic_mirror: [{path: /, destinations: [d], disabled: false}]}]"
        assert (read(text).destinations[0].sample_rate, read(text).destinations[0].timeout) == (0.5, 2.0)
        assert read(text, RATE="1", T="3").destinations[0].sample_rate == 1.0

    def test_two_dollars_stand_for_one(self) -> None:
        assert rule("headers: {X: '$${A} $5'}", A="a").headers == (("X", "${A} $5"),)

    def test_numbers_are_no_secrets_but_texts_are(self) -> None:
        text = "destinations:\n  d:\n    url: http://d.test\n"
        text += "    sample_rate: ${RATE}\n    headers: {X: '${X}'}\n"
        text += "apis: [{traffic_mirror: [{path: /, destinations: [d]}]}]"
        assert read(text, RATE="0.5", X="12345").secrets == ("12345",)

    def test_an_address_is_no_secret_but_user_info_and_query_are(self) -> None:
        text = "apis: [{traffic_mirror: [{path: /, destinations: ['${U}']}]}]"
        assert read(text, U="http://d.test:8080/base").secrets == ()
        url = "http://us:pw@d.test/?token=abc"
        assert set(read(text, U=url).secrets) == {url, "us", "pw", "abc"}


class TestCompare:
    """`compare` from spec to API to rule."""

    def merged(self, spec: str, api: str, rule: str) -> Compare:
        text = (
            f"compare: {spec}\napis: [{{compare: {api}, traffic_mirror: "
            f"[{{path: /, destinations: ['http://d.test'], compare: {rule}}}]}}]"
        )
        return read(text).apis[0].rules[0].compare

    def test_absent_it_says_nothing(self) -> None:
        assert rule("").compare == Compare(enabled=None)

    @pytest.mark.parametrize(
        ("written", "enabled"), [("true", True), ("{}", True), ("{only: []}", True), ("false", False)]
    )
    def test_it_switches_on_and_off(self, written: str, enabled: bool) -> None:
        assert rule(f"compare: {written}").compare == Compare(enabled=enabled)

    def test_lists_add_up_mappings_merge_and_the_rest_is_overridden(self) -> None:
        compare = self.merged(
            "{ignore: ['header:A'], tolerance: {'body:$.a': 1, 'body:$.b': 1}, status: class, max_bytes: 1}",
            "{ignore: ['header:B', 'header:A'], tolerance: {'body:$.b': 2}, max_bytes: 2}",
            "{ignore: ['header:C'], tolerance: {'body:$.c': 3}, unordered: {'body:$.t': true}}",
        )
        assert compare == Compare(
            enabled=True,
            ignore=("header:A", "header:B", "header:C"),
            tolerance=(("body:$.a", 1.0), ("body:$.b", 2.0), ("body:$.c", 3.0)),
            unordered=(("body:$.t", True),),
            status="class",
            max_bytes=2,
        )

    def test_off_keeps_what_is_inherited_for_who_switches_on_again(self) -> None:
        assert self.merged("{status: class}", "false", "{}") == Compare(enabled=True, status="class")
        assert self.merged("{status: class}", "{}", "false") == Compare(enabled=False, status="class")

    def test_a_baseline_is_a_name_a_url_or_a_destination(self) -> None:
        text = "destinations: {p: {url: 'http://p.test', sample_rate: 0.5}}\napis: [{traffic_mirror: ["
        text += "{path: /1, destinations: ['http://d.test'], compare: {baseline: p}},"
        text += "{path: /2, destinations: ['http://d.test'], compare: {baseline: 'http://q.test'}}]}]"
        spec = read(text)
        baselines = [each.compare.baseline for each in spec.apis[0].rules]
        assert baselines == [Baseline(destination=0, sample_rate=0.5), Baseline(destination=2)]
        assert [each.name for each in spec.destinations] == ["p", "http://d.test", "http://q.test"]


class TestNames:
    """What is named by itself where the spec gives no name."""

    def test_a_rule_is_named_after_method_and_path(self) -> None:
        rules = ", ".join(
            f"{{path: /a, destinations: ['http://d.test'], {more}}}"
            for more in ("method: get", "methods: [GET, PUT]", "", "method: GET", "name: /a")
        )
        text = f"apis: [{{traffic_mirror: [{rules}]}}]"
        names = [each.name for each in read(text).apis[0].rules]
        assert names == ["GET /a", "GET,PUT /a", "/a #2", "GET /a #2", "/a"]

    def test_an_api_is_named_after_host_and_listen_path(self) -> None:
        api = "traffic_mirror: [{path: /, destinations: ['http://d.test']}]"
        heads = ("", "listen_path: /a/b/, ", "hosts: [h.test, i.test], listen_path: /a, ", "")
        text = "apis: [" + ", ".join(f"{{{head}{api}}}" for head in heads) + "]"
        assert [each.name for each in read(text).apis] == ["api", "a/b", "h.test a", "api #2"]

    def test_destinations_written_out_alike_are_one(self) -> None:
        same = "{url: 'http://d.test', timeout: 1}"
        text = (
            f"apis: [{{traffic_mirror: [{{path: /, destinations: [{same}, 'http://d.test']}}, "
            f"{{path: /b, destinations: [{same}]}}]}}]"
        )
        spec = read(text)
        assert [each.name for each in spec.destinations] == ["http://d.test", "http://d.test#2"]
        assert [each.destinations for each in spec.apis[0].rules] == [(0, 1), (0,)]


def test_the_files_of_a_directory_are_one_spec(tmp_path: Path) -> None:
    rules = "[{path: /, destinations: [shared]}]"
    (tmp_path / "b.yml").write_text(f"apis: [{{name: second, traffic_mirror: {rules}}}]")
    (tmp_path / "a.json").write_text(
        '{"apis": [{"name": "first", "traffic_mirror": [{"path": "/", "destinations": ["shared"]}]}]}'
    )
    (tmp_path / "c.yaml").write_text("destinations: {shared: {url: 'http://d.test'}}\ncompare: true")
    (tmp_path / "ignored.txt").write_text("{")
    (tmp_path / ".#a.json").symlink_to("nowhere")
    (tmp_path / "sub.yaml").mkdir()
    spec = read_spec(tmp_path, {})
    assert [api.name for api in spec.apis] == ["first", "second"]
    assert [each.name for each in spec.destinations] == ["shared"]
    assert all(api.rules[0].compare.enabled for api in spec.apis)
    assert [Path(file).name for file in spec.files] == ["a.json", "b.yml", "c.yaml"]


def test_files_are_looked_for_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"-----BEGIN CERTIFICATE-----")
    text = "apis: [{traffic_mirror: [{path: /, destinations: [{url: 'https://d', tls: {ca_file: ca.pem}}]}]}]"
    (tmp_path / "s.yaml").write_text(text)
    spec = read_spec(tmp_path / "s.yaml", {})
    assert spec.destinations[0].tls.ca == b"-----BEGIN CERTIFICATE-----"


def test_filters_are_checked_only_when_there_are_any() -> None:
    seen: list[str] = []

    def check(expression: str) -> None:
        seen.append(expression)

    text = "apis: [{traffic_mirror: [{path: /, destinations: ['http://d'], match: {filter: '~m GET'}}]}]"
    assert parse_spec([("s", text.encode())], {}, check).apis
    assert seen == ["~m GET"]


@pytest.mark.parametrize("file", sorted(CONFIG.glob("*.*")), ids=lambda file: file.name)
def test_the_examples_are_valid(file: Path) -> None:
    from traffic_mirror.edge.filters import check_filter

    assert read_spec(file, {}, check_filter).apis
