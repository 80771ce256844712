"""Which rule takes a request: table by table, one for each kind of condition."""

from __future__ import annotations

import pytest

from traffic_mirror.copies.request import Fields
from traffic_mirror.rules import RuleSet, compile_rules
from traffic_mirror.spec.model import Api, Match, Rule, Spec, TykMatching


def rules_of(*apis: Api) -> RuleSet:
    return compile_rules(Spec(apis=apis))


def one_rule(
    path: str, listen_path: str = "/", *, tyk: TykMatching | None = None, ignore_case: bool = False
) -> RuleSet:
    rule = Rule(name="r", path=path, ignore_case=ignore_case)
    return rules_of(Api(name="a", listen_path=listen_path, tyk=tyk, rules=(rule,)))


def takes(
    rules: RuleSet, target: str | bytes, method: str = "GET", host: str = "h", headers: Fields = ()
) -> bool:
    raw = target.encode() if isinstance(target, str) else target
    taken = rules.match(method, host, raw, headers)
    assert rules.explain(method, host, raw, headers).route == taken
    return taken is not None


TEMPLATES = [
    ("/users", ["/users", "/users?x=1", "/users?"], ["/users/", "/user", "/users/1", "/x/users", "/Users"]),
    ("/", ["/", "/?a=/b", "http://h", "http://h?x"], ["/x", "*", "", "//"]),
    ("/users/{id}", ["/users/1", "/users/%20", "/users/*"], ["/users/", "/users/1/", "/users/1/2", "/users"]),
    ("/slash/{id}", ["/slash/a%2Fb", "/slash/a%2fb"], ["/slash/a/b"]),
    ("/users/{id}/x", ["/users/1/x"], ["/users//x", "/users/1/2/x"]),
    ("/f/{name}.json", ["/f/a.json", "/f/a.b.json"], ["/f/.json", "/f/a.jsonx", "/f/axjson", "/f/a/b.json"]),
    ("/n/{n:[0-9]+}", ["/n/0", "/n/42"], ["/n/", "/n/4a", "/n/4/2"]),
    ("/n/{n:a|b}/x", ["/n/a/x", "/n/b/x"], ["/n/a", "/b/x", "/n/ab/x"]),
    ("/n/{n:.+}", ["/n/a", "/n/a%2Fb"], ["/n/a/b", "/n/", "/n/a/"]),
    ("/n/{n:.*}/{m:.*}", ["/n/a/b", "/n//", "/n//b"], ["/n/a/b/c", "/n/a", "/n///"]),
    ("/n/{n:.+}/*", ["/n/a/", "/n/a/b/c"], ["/n/a", "/n//b"]),
    ("/d/{d:[0-9]{4}-[0-9]{2}}", ["/d/2026-11"], ["/d/2026-1", "/d/2026-111"]),
    ("/c/{c:[^}]+}", ["/c/a"], ["/c/}", "/c/a/b"]),
    ("/a/*.js", ["/a/x.js", "/a/.js"], ["/a/b/x.js", "/a/x.jsx", "/a/xjs"]),
    ("/a/x*", ["/a/x", "/a/xyz"], ["/a/x/y", "/a/y"]),
    ("/a/*/b", ["/a/x/b"], ["/a//b", "/a/x/y/b"]),
    ("/a/*", ["/a/", "/a/b", "/a/b/c/", "/a//"], ["/a", "/ab"]),
    ("/*", ["/", "/x", "/x/y", "//", "/../"], ["*", "host:443", ""]),
    ("/caf%C3%A9", ["/caf%C3%A9", "/caf%c3%a9", "/caf\xc3\xa9".encode("latin-1")], ["/cafe"]),
    ("/café", ["/caf%C3%A9"], ["/caf%E9"]),
    ("/a b", ["/a%20b", "/a b"], ["/a+b"]),
    ("/a%2Fb", ["/a%2Fb", "/a%2fb"], ["/a/b"]),
    ("/a.b(c)+$", ["/a.b(c)+$"], ["/axb(c)+$", "/a.bcc"]),
    ("/x/{y}", [b"/x/\xff", "/x/%ff", "/x/%00", "/x/%0A", "/x/%zz", "/x/.."], ["/x/%2F/"]),
    ("/a/../b", ["/a/../b"], ["/b"]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "taken", "refused"), TEMPLATES, ids=[path for path, _, _ in TEMPLATES])
def test_a_template_takes_whole_paths(
    path: str, taken: list[str | bytes], refused: list[str | bytes]
) -> None:
    rules = one_rule(path)
    assert [target for target in taken if not takes(rules, target)] == []
    assert [target for target in refused if takes(rules, target)] == []


EXPRESSIONS = [
    ("^/users", ["/users", "/users/1", "/usersx"], ["/x/users", "/Users"]),
    ("^/users/[0-9]+$", ["/users/42"], ["/users/42/", "/users/", "/x/users/42"]),
    ("^/a$|^/b$", ["/a", "/b"], ["/ab", "/a/b", "/x/b"]),
    ("^/a|b$", ["/ax", "/xb"], ["/xbx"]),
    ("^/a(/|$)", ["/a", "/a/", "/a/b"], ["/ab"]),
    ("^(/a|/b)/c$", ["/a/c", "/b/c"], ["/c/c"]),
    ("^(?i)/a$", ["/a", "/A"], ["/b"]),
    ("^(?i)/a|/b", ["/A", "/x/B"], ["/x/a"]),
    ("^(?i:/a)b", ["/Ab"], ["/AB"]),
    ("^", ["/", "*", "host:443", "/x"], []),
    ("^$", [""], ["/"]),
    ("^.*$", ["/a"], ["/a%0Ab"]),
    ("^(?m)/x$", ["/x", "/x%0Ay"], ["/xy"]),
    ("^/a\\b", ["/a/b", "/a-"], ["/ab"]),
    ("^/\\Qa.b|c$\\E$", ["/a.b|c$"], ["/axb|c$"]),
    ("^/\\Qa.b", ["/a.bc"], ["/axb"]),
    ("^/[|$^]$", ["/|", "/$", "/^"], ["/x"]),
    ("^/[]a]$", ["/]", "/a"], ["/b"]),
    ("^/[[:digit:]]$", ["/1"], ["/:"]),
    ("^\\*$", ["*"], ["/*", "/"]),
    ("^*/a", ["/a", "/x/a"], ["/b"]),
    ("^/a||^/b", ["/x"], []),
    ("^/(x^|a)", ["/a"], ["/x"]),
    ("^\\A/a\\z", ["/a"], ["/ab"]),
    ("^/(?P<n>a)$", ["/a"], ["/b"]),
    ("^/a%2Fb$", ["/a%2Fb", "/a%2fb"], ["/a/b"]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "taken", "refused"), EXPRESSIONS, ids=[path for path, _, _ in EXPRESSIONS])
@pytest.mark.parametrize("listen", ["/", "/svc/", "/svc", "/{tenant}/", "/{tenant:svc}"])
def test_an_expression_is_searched_for_after_the_listen_path(
    path: str, taken: list[str], refused: list[str], listen: str
) -> None:
    rules = one_rule(path, listen)
    base = "" if listen == "/" else "/svc"
    below = [target for target in taken if not base or target.startswith("/")]
    assert [target for target in below if not takes(rules, base + target)] == []
    assert [target for target in refused if target and takes(rules, base + target)] == []


LISTEN_PATHS = [
    ("/users-api/", "/x", ["/users-api/x"], ["/x", "/users-apix", "/users-api/y", "/v/users-api/x"]),
    ("/users-api", "/x", ["/users-api/x"], ["/users-apix"]),
    ("/users-api/", "/", ["/users-api", "/users-api/"], ["/users-api//", "/", "/users-ap"]),
    ("/users-api/", "/*", ["/users-api", "/users-api/", "/users-api/x/y"], ["/users-apix"]),
    ("/users-api/", "^/$", ["/users-api", "/users-api/"], ["/users-api/x"]),
    ("/users-api/", "^x", [], ["/users-apix", "/users-api/x"]),
    ("/{tenant}/api/", "/x", ["/a/api/x", "/b%2Fc/api/x"], ["/a/b/api/x", "/api/x", "//api/x"]),
    ("/{tenant:.+}/api/", "/x", ["/a/api/x"], ["/a/b/api/x", "/api/x"]),
    ("/{tenant:.*}/", "/{rest:.*}/x", ["/a/b/x", "///x"], ["/a/x", "/a/b/c/x"]),
    ("/a%20b/", "/x", ["/a%20b/x", "/a b/x"], ["/a+b/x"]),
    ("/caf%C3%A9/", "/x", ["/caf%C3%A9/x"], []),
]  # fmt: skip


@pytest.mark.parametrize(("listen", "path", "taken", "refused"), LISTEN_PATHS)
def test_a_path_is_relative_to_the_listen_path(
    listen: str, path: str, taken: list[str], refused: list[str]
) -> None:
    rules = one_rule(path, listen)
    assert [target for target in taken if not takes(rules, target)] == []
    assert [target for target in refused if takes(rules, target)] == []


@pytest.mark.parametrize("path", ["/Users/{id}/Äb", "/users/{id:[a-z]+}/äb", "^/users/.*/äB$"])
def test_case_is_ignored_where_the_rule_says_so(path: str) -> None:
    assert takes(one_rule(path, "/Svc/", ignore_case=True), "/sVC/uSERS/aB/%C3%84B")
    assert not takes(one_rule(path, "/Svc/"), "/sVC/uSERS/aB/%C3%84B")


TYK = [
    ("/", "/users", {}, ["/users", "/x/users/y", "/usersx"], ["/user", "/Users"]),
    ("/", "/users/{id}", {}, ["/users/1", "/users/1/2", "/v1/users/1"], ["/users/"]),
    ("/", "/users/{id}", {"prefix_matching": True}, ["/users/1", "/users/1/2"], ["/v1/users/1"]),
    ("/", "/users/{id}", {"suffix_matching": True}, ["/users/1", "/v1/users/1"], ["/users/1/2"]),
    ("/", "/users/{id}", {"prefix_matching": True, "suffix_matching": True}, ["/users/1"], ["/v1/users/1"]),
    ("/", "/a/*/b", {}, ["/a/x/b", "/z/a/x/b/c"], ["/a/b", "/a//b"]),
    ("/", "/a/*", {}, ["/a/", "/a/x"], ["/a"]),
    ("/", "/users/1$", {}, ["/users/1", "/x/users/1"], ["/users/12"]),
    ("/", "^/users", {}, ["/users"], ["/x/users"]),
    ("/", "/users/(1|2)", {}, ["/users/1"], ["/users/3"]),
    ("/", "", {}, ["/", "/x"], []),
    ("/", "/a/b", {}, ["/a%2Fb", "/a%2fb/c", "/a/b"], ["/a%252Fb"]),
    ("/svc/", "/users", {}, ["/svc/users", "/svc/x/users"], ["/users", "/svcx/users"]),
    ("/svc/", "/svc", {}, ["/svc/x", "/svc/", "/svc"], ["/x/svc"]),
    ("/svc/", "^/users$", {}, ["/svc/users"], ["/svc/x/users", "/users"]),
    ("/svc/", "^/svc/users$", {}, ["/svc/users"], ["/svc/svc"]),
    ("/svc/", "/$", {}, ["/svc", "/svc/", "/svc/x/"], ["/svc/x"]),
    ("/svc/", "/users", {"prefix_matching": True}, ["/svc/users"], ["/svc/x/users"]),
    ("/svc/", "/svc/users", {"prefix_matching": True}, ["/svc/users"], ["/svc/x/users"]),
    ("/{tenant}/svc/", "^/users", {}, ["/a/svc/users"], ["/svc/users", "/a/b/svc/users"]),
    ("/{tenant:[a-z]+}/svc/", "^/users", {}, ["/a/svc/users"], ["/1/svc/users"]),
]  # fmt: skip


@pytest.mark.parametrize(("listen", "path", "switches", "taken", "refused"), TYK)
def test_tyk_paths_match_as_the_gateway_matches_them(
    listen: str, path: str, switches: dict[str, bool], taken: list[str], refused: list[str]
) -> None:
    rules = one_rule(path, listen, tyk=TykMatching(**switches))
    assert [target for target in taken if not takes(rules, target)] == []
    assert [target for target in refused if takes(rules, target)] == []


def test_tyk_paths_and_our_own_read_an_escaped_slash_each_in_their_way() -> None:
    ours = Api(name="ours", rules=(Rule(name="r", path="/x/{one}"),))
    tyk = Api(name="tyk", tyk=TykMatching(), rules=(Rule(name="r", path="^/x/a/b$"),))
    taken = rules_of(tyk, ours).match("GET", "h", b"/x/a%2Fb", ())
    assert taken is not None
    assert taken.api.name == "tyk"
    taken = rules_of(ours, tyk).match("GET", "h", b"/x/a%2Fb", ())
    assert taken is not None
    assert taken.api.name == "ours"


HOSTS = [
    ((), ["", "x", "[::1]:80"], []),
    (("api.test",), ["api.test", "API.TEST", "api.test.:80"], ["x.api.test", "api.tes", ""]),
    (("port.test",), ["port.test:8080", "port.test."], ["port.test.x"]),
    (("*.api.test",), ["x.api.test", "y.x.API.test:1"], ["api.test", ".api.test", "xapi.test"]),
    (("API.test.",), ["api.test"], []),
    (("a.test", "*.b.test"), ["a.test", "x.b.test"], ["b.test", "x.a.test"]),
    (("*",), ["anything", ""], []),
    (("::1",), ["::1", "[::1]", "[::1]:80"], ["::2"]),
    (("10.0.0.1",), ["10.0.0.1", "10.0.0.1:80"], ["10.0.0.11"]),
    (("xn--mnchen-3ya.test",), ["münchen.test", "MÜNCHEN.test", "xn--mnchen-3ya.test"], []),
    (("münchen.test",), ["xn--mnchen-3ya.test"], []),
    (("a.test",), [], ["a test", "a.test/x", "\ud800", "a" * 70 + "ä.test"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("patterns", "taken", "refused"), HOSTS, ids=[",".join(p) or "any" for p, _, _ in HOSTS]
)
def test_hosts(patterns: tuple[str, ...], taken: list[str], refused: list[str]) -> None:
    rules = rules_of(Api(name="a", hosts=patterns, rules=(Rule(name="r", path="/*"),)))
    assert [host for host in taken if not takes(rules, "/", host=host)] == []
    assert [host for host in refused if takes(rules, "/", host=host)] == []


def test_methods_are_told_apart_as_they_are_written() -> None:
    rules = rules_of(Api(name="a", rules=(Rule(name="r", path="/*", methods=("GET", "M-SEARCH")),)))
    assert takes(rules, "/", "GET")
    assert takes(rules, "/", "M-SEARCH")
    assert not takes(rules, "/", "get")
    assert not takes(rules, "/", "POST")


@pytest.mark.parametrize(
    ("condition", "headers", "taken"),
    [
        (("X-Beta", "^1$"), ((b"x-beta", b"1"),), True),
        (("X-Beta", "^1$"), ((b"X-BETA", b"11"),), False),
        (("X-Beta", "^1$"), ((b"X-Beta", b"0"), (b"x-beta", b"1")), True),
        (("X-Beta", "^1$"), (), False),
        (("X-Beta", ""), ((b"X-Beta", b""),), True),
        (("X-Name", "é"), ((b"X-Name", "é".encode()),), True),
        (("X-Name", "^.$"), ((b"X-Name", b"\xe9"),), True),
    ],
)
def test_header_conditions(condition: tuple[str, str], headers: Fields, taken: bool) -> None:
    rule = Rule(name="r", path="/*", match=Match(headers=(condition,)))
    assert takes(rules_of(Api(name="a", rules=(rule,))), "/", headers=headers) is taken


@pytest.mark.parametrize(
    ("condition", "target", "taken"),
    [
        (("v", "2"), "/?v=2", True),
        (("v", "2"), "/?v=12", True),
        (("v", "^2$"), "/?v=12", False),
        (("v", "^2$"), "/?v=1&v=2", True),
        (("v", "^2$"), "/?V=2", False),
        (("v", "^2$"), "/", False),
        (("v", "^$"), "/?v", True),
        (("v", "^$"), "/?v=", True),
        (("a b", "^c d$"), "/?a+b=c%20d", True),
        (("v", "^=$"), "/?v==", True),
        (("v", "^x$"), "/?&&v=x&", True),
        (("v", "^.$"), "/?v=%ff", True),
    ],
)
def test_query_conditions(condition: tuple[str, str], target: str, taken: bool) -> None:
    rule = Rule(name="r", path="/*", match=Match(query=(condition,)))
    assert takes(rules_of(Api(name="a", rules=(rule,))), target) is taken


def test_the_first_rule_in_order_takes_the_request() -> None:
    specific, general = Rule(name="one", path="/users/{id}"), Rule(name="all", path="/*")
    for order in ((specific, general), (general, specific)):
        taken = rules_of(Api(name="a", rules=order)).match("GET", "h", b"/users/1", ())
        assert taken is not None
        assert taken.rule is order[0]


def test_a_rule_whose_conditions_fail_leaves_the_request_to_the_next() -> None:
    rules = (
        Rule(name="off", path="/*", disabled=True),
        Rule(name="post", path="/*", methods=("POST",)),
        Rule(name="beta", path="/*", match=Match(headers=(("X-Beta", "1"),))),
        Rule(name="rest", path="^/"),
    )
    taken = rules_of(Api(name="a", hosts=("other",), rules=rules), Api(name="b", rules=rules)).match(
        "GET", "h", b"/x", ()
    )
    assert taken is not None
    assert (taken.api.name, taken.rule.name, taken.api_index, taken.rule_index) == ("b", "rest", 1, 3)


def test_a_filter_is_asked_of_the_flow_and_a_failing_one_takes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def compile_filter(text: str):  # type: ignore[no-untyped-def]
        return {"yes": lambda flow: flow == "flow", "no": lambda flow: False, "bad": lambda flow: 1 / 0 > 0}[
            text
        ]

    def match(text: str, flow: object | None = "flow") -> bool:
        spec = Spec(apis=(Api(name="a", rules=(Rule(name="r", path="/*", match=Match(filter=text)),)),))
        rules = compile_rules(spec, compile_filter)
        return [rules.match("GET", "h", b"/", (), flow) is not None for _ in range(3)][-1]

    assert match("yes")
    assert not match("yes", None)
    assert not match("no")
    assert not match("bad")
    assert len(caplog.records) == 1


def test_without_rules_nothing_is_taken() -> None:
    assert rules_of().match("GET", "h", b"/", ()) is None
    assert rules_of(Api(name="a")).match("GET", "h", b"/", ()) is None


@pytest.mark.parametrize("target", [b"*", b"host:443", b"", b"?", b"#", b"http://", b"://", b"\0\r\n"])
def test_odd_targets_hurt_nothing(target: bytes) -> None:
    assert not takes(one_rule("/x"), target)


def test_an_absolute_target_is_read_from_its_path_on() -> None:
    assert takes(one_rule("/x"), "http://h:80/x?y")
    assert not takes(one_rule("/x"), "/http://h/x")
