"""Why a rule does not take a request, in the words people read."""

from __future__ import annotations

import msgspec
import pytest

from traffic_mirror.copies.request import Fields
from traffic_mirror.rules import Miss, compile_rules
from traffic_mirror.spec.model import Api, Match, Rule, Spec, TykMatching

REASONS = [
    (
        "method",
        Rule(name="r", path="/*", methods=("GET", "HEAD")),
        "method is POST, the rule takes GET, HEAD",
    ),
    ("path", Rule(name="r", path="/users/{id}"), "path /x y does not match /users/{id}"),
    ("disabled", Rule(name="r", path="/*", disabled=True), "disabled"),
    (
        "absent header",
        Rule(name="r", path="/*", match=Match(headers=(("X-Beta", "1"),))),
        "header X-Beta is absent",
    ),
    (
        "other header",
        Rule(name="r", path="/*", match=Match(headers=(("x-old", "^1$"),))),
        "header x-old does not match ^1$",
    ),
    ("absent key", Rule(name="r", path="/*", match=Match(query=(("v", "2"),))), "query key v is absent"),
    (
        "other key",
        Rule(name="r", path="/*", match=Match(query=(("q", "2"),))),
        "query key q does not match 2",
    ),
    (
        "filter",
        Rule(name="r", path="/*", match=Match(filter="~bq x")),
        "filter ~bq x can only be judged on real traffic, in the proxy",
    ),
    (
        "both",
        Rule(name="r", path="/a", methods=("GET",)),
        "method is POST, the rule takes GET; path /x y does not match /a",
    ),
]


def why(
    api: Api, target: bytes = b"/x%20y?q=1", host: str = "h:80", headers: Fields = ((b"X-Old", b"2"),)
) -> str:
    (miss,) = compile_rules(Spec(apis=(api,))).explain("POST", host, target, headers).misses
    return miss.reason


@pytest.mark.parametrize(
    ("rule", "reason"), [case[1:] for case in REASONS], ids=[case[0] for case in REASONS]
)
def test_a_reason_says_what_was_found_and_what_the_rule_takes(rule: Rule, reason: str) -> None:
    assert why(Api(name="a", rules=(rule,))) == reason


@pytest.mark.parametrize(
    ("api", "reason"),
    [
        (Api(name="a", hosts=("api.test", "*.x")), "host is h, the API takes api.test, *.x"),
        (Api(name="a", listen_path="/svc/"), "path /x y is not below /svc/"),
        (Api(name="a", listen_path="/{t:x.*}/"), "path /x y does not match /n/* below /{t:x.*}/"),
        (Api(name="a", tyk=TykMatching(), listen_path="/svc/"), "path /x y is not below /svc/"),
        (Api(name="a", tyk=TykMatching()), "path /x y does not match /n/*"),
    ],
    ids=["host", "listen path", "below", "below tyk's", "tyk"],
)
def test_an_api_has_reasons_of_its_own(api: Api, reason: str) -> None:
    assert why(msgspec.structs.replace(api, rules=(Rule(name="r", path="/n/*"),))) == reason


def test_a_request_without_a_host_says_so() -> None:
    assert why(Api(name="a", hosts=("x",), rules=(Rule(name="r", path="/*"),)), host="") == (
        "host is absent, the API takes x"
    )


def test_rules_after_the_one_that_took_it_say_which_it_was() -> None:
    rules = (
        Rule(name="one", path="/b"),
        Rule(name="two", path="/a"),
        Rule(name="three", path="/*"),
        Rule(name="four", path="/a", methods=("PUT",)),
    )
    found = compile_rules(Spec(apis=(Api(name="api", rules=rules),))).explain("GET", "h", b"/a", ())
    assert found.route is not None
    assert found.route.rule.name == "two"
    assert found.misses == (
        Miss("api", "one", "path /a does not match /b"),
        Miss("api", "three", "an earlier rule took it: api / two"),
        Miss("api", "four", "method is GET, the rule takes PUT"),
    )


def test_a_failing_filter_is_named() -> None:
    def broken(flow: object) -> bool:
        raise RuntimeError(flow)

    rule = Rule(name="r", path="/*", match=Match(filter="~x"))
    rules = compile_rules(Spec(apis=(Api(name="a", rules=(rule,)),)), lambda _: broken)
    (miss,) = rules.explain("GET", "h", b"/", (), "flow").misses
    assert miss.reason == "filter ~x failed: RuntimeError"
