"""Tyk classic API definitions: they load as they are, and mean what the gateway would have meant by them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from traffic_mirror.spec.model import Api, Compare, Destination, Markers, Match, Rule, Spec, TykMatching
from traffic_mirror.spec.problems import SpecError
from traffic_mirror.spec.reader import parse_spec

RULE: dict[str, Any] = {
    "disabled": False,
    "path": "/users/{id}",
    "method": "GET",
    "ignore_case": False,
    "destinations": [
        {
            "url": "https://u:p@shadow.test/base?x=1",
            "headers": {"X-Env": "s"},
            "timeout": 2,
            "sample_rate": 0.5,
        }
    ],
    "sample_rate": 0.25,
    "async": True,
    "headers": {"X-Mirror-Reason": "canary", "Host": "other.test"},
}

# As a gateway exports one: with much that has nothing to do with mirroring, nulls for what is not set.
DEFINITION: dict[str, Any] = {
    "id": "5fd08ed769710900018bc196",
    "name": "Users API",
    "slug": "users-api",
    "api_id": "abc123",
    "org_id": "default",
    "use_keyless": True,
    "auth_configs": {"authToken": {"auth_header_name": "${NOT_OURS}"}},
    "definition": {"location": "header", "key": "x-api-version", "strip_path": False},
    "version_data": {
        "not_versioned": True,
        "default_version": "",
        "versions": {
            "Default": {
                "name": "Default",
                "expires": "",
                "paths": {"ignored": None, "white_list": None, "black_list": None},
                "use_extended_paths": True,
                "extended_paths": {
                    "ignored": None,
                    "transform": [
                        {"path": "/t", "template_data": {"template_source": "e${x} env://NOT_OURS"}}
                    ],
                    "traffic_mirror": [RULE],
                    "persist_graphql": None,
                },
                "global_headers": None,
                "ignore_endpoint_case": False,
            }
        },
    },
    "uptime_tests": {"check_list": None},
    "proxy": {
        "preserve_host_header": False,
        "listen_path": "/users-api/",
        "target_url": "http://primary.test/",
        "strip_listen_path": True,
    },
    "domain": "",
    "active": True,
    "tags": None,
    "config_data": {"anything": [1, {"nested": True}]},
}


def definition(
    rule: dict[str, Any] | None = None, version: dict[str, Any] | None = None, **changes: Any
) -> Any:
    """The definition with its rule's, its version's or its own keys changed."""
    made = copy.deepcopy(DEFINITION)
    made.update(changes)
    for each in (made["version_data"] or {}).get("versions", {}).values():
        each.update(version or {})
        (each.get("extended_paths") or {}).get("traffic_mirror", [{}])[0].update(rule or {})
    return made


def read(*documents: Any, **environ: str) -> Spec:
    return parse_spec([(f"{i}.json", json.dumps(each).encode()) for i, each in enumerate(documents)], environ)


def only_rule(*documents: Any, **environ: str) -> Rule:
    (api,) = read(*documents, **environ).apis
    (rule,) = api.rules
    return rule


def test_an_exported_definition_loads_as_it_is() -> None:
    spec = read(DEFINITION)
    assert spec.apis == (
        Api(
            name="Users API",
            listen_path="/users-api/",
            strip_listen_path=True,
            tyk=TykMatching(),
            markers=Markers(prefix="X-Tyk-Mirror", with_id=False),
            rules=(
                Rule(
                    name="GET /users/{id}",
                    path="/users/{id}",
                    methods=("GET",),
                    sample_rate=0.25,
                    headers=(("X-Mirror-Reason", "canary"), ("Host", "other.test")),
                    destinations=(0,),
                ),
            ),
        ),
    )
    assert spec.destinations == (
        Destination(
            name="https://shadow.test/base",
            url="https://shadow.test",
            scheme="https",
            hostname="shadow.test",
            port=443,
            base_path="/base",
            base_query="x=1",
            timeout=2.0,
            sample_rate=0.5,
            headers=(("X-Env", "s"), ("Authorization", "Basic dTpw")),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(DEFINITION),
        json.dumps(DEFINITION, indent="\t"),
        yaml.safe_dump(DEFINITION, sort_keys=False),
        json.dumps([DEFINITION]),
        json.dumps({"api_definition": DEFINITION, "oas": None, "rate_limit": {}}),
        json.dumps([{"api_definition": DEFINITION}]),
    ],
    ids=["JSON", "JSON with tabs", "YAML", "a list", "wrapped", "a list of wrapped ones"],
)
def test_it_loads_in_every_shape_it_comes_in(text: str) -> None:
    (api,) = parse_spec([("api.json", text.encode())], {}).apis
    assert api == read(DEFINITION).apis[0]


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"sample_rate": None}, "sample_rate", 1.0),
        ({"sample_rate": 0}, "sample_rate", 0.0),
        ({"method": ""}, "methods", ()),
        ({"method": None}, "methods", ()),
        ({"method": "post"}, "methods", ("POST",)),
        ({"path": ""}, "path", ""),
        ({"path": "^/v[0-9]+/$"}, "path", "^/v[0-9]+/$"),
        ({"async": False}, "wait", True),
        ({"async": None}, "wait", False),
        ({"disabled": True}, "disabled", True),
        ({"ignore_case": True}, "ignore_case", True),
        ({"headers": None}, "headers", ()),
        ({"headers": {"Content-Length": "5", "X": "y"}}, "headers", (("X", "y"),)),
    ],
)
def test_a_rules_field(changes: dict[str, Any], field: str, value: object) -> None:
    assert getattr(only_rule(definition(changes)), field) == value


@pytest.mark.parametrize(
    "absent", ["sample_rate", "method", "path", "async", "disabled", "ignore_case", "headers"]
)
def test_a_rules_field_may_be_absent(absent: str) -> None:
    changed = definition()
    del changed["version_data"]["versions"]["Default"]["extended_paths"]["traffic_mirror"][0][absent]
    rule = only_rule(changed)
    assert rule.sample_rate == (1.0 if absent == "sample_rate" else 0.25)
    assert not any((rule.wait, rule.disabled, rule.ignore_case))


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"timeout": 0}, "timeout", 5.0),
        ({"timeout": None}, "timeout", 5.0),
        ({"timeout": 7}, "timeout", 7.0),
        ({"sample_rate": 0}, "sample_rate", 0.0),
        ({"sample_rate": None}, "sample_rate", 1.0),
        ({"headers": None}, "headers", (("Authorization", "Basic dTpw"),)),
    ],
)
def test_a_destinations_field(changes: dict[str, Any], field: str, value: object) -> None:
    destination = {**RULE["destinations"][0], **changes}
    assert getattr(read(definition({"destinations": [destination]})).destinations[0], field) == value


@pytest.mark.parametrize(
    ("domain", "hosts"),
    [
        ("", ()),
        ("Api.Example.test", ("api.example.test",)),
        ("api.example.test:8080", ("api.example.test",)),
        ("{sub}.example.test", ("*.example.test",)),
        ("{sub:[a-z]{1,3}}.example.test", ("*.example.test",)),
        ("api-{n}.example.test", ("*.example.test",)),
        ("{a}.{b}.test", ("*.test",)),
        ("{any}", ()),
    ],
)
def test_a_domain_is_a_host_pattern(domain: str, hosts: tuple[str, ...]) -> None:
    assert read(definition(domain=domain)).apis[0].hosts == hosts


def test_a_disabled_domain_does_not_count() -> None:
    assert read(definition(domain="a.test", domain_disabled=True)).apis[0].hosts == ()


@pytest.mark.parametrize(
    ("proxy", "listen_path"),
    [
        ({"listen_path": "/a/{tenant}/"}, "/a/{tenant}/"),
        ({"listen_path": "users"}, "/users"),
        ({}, "/"),
        (None, "/"),
    ],
)
def test_the_listen_path(proxy: Any, listen_path: str) -> None:
    assert read(definition(proxy=proxy)).apis[0].listen_path == listen_path


@pytest.mark.parametrize("listen_path", ["/a/{x", "/a/{x:(}/", "/a/{x:[}/"])
def test_a_listen_path_that_could_not_match_is_refused(listen_path: str) -> None:
    with pytest.raises(SpecError, match=r"\$\.proxy\.listen_path: found the listen path"):
        read(definition(proxy={"listen_path": listen_path}))


def test_case_may_be_ignored_for_a_whole_version_or_gateway() -> None:
    assert only_rule(definition(version={"ignore_endpoint_case": True})).ignore_case
    assert only_rule(definition(), {"tyk": {"ignore_endpoint_case": True}}).ignore_case


def test_the_gateways_switches_stand_in_a_spec_beside_the_definitions() -> None:
    switches = {"enable_path_prefix_matching": True, "enable_path_suffix_matching": True}
    (api,) = read(definition(), {"tyk": switches}).apis
    assert api.tyk == TykMatching(prefix_matching=True, suffix_matching=True)


def test_what_holds_for_a_whole_spec_holds_for_definitions() -> None:
    assert only_rule(definition(), {"compare": {"status": "class"}}).compare == Compare(
        enabled=True, status="class"
    )


@pytest.mark.parametrize(
    "changed",
    [
        definition(active=False),
        definition(version={"use_extended_paths": False}),
        definition(version={"extended_paths": None}),
        definition(version_data=None),
    ],
    ids=["not active", "no extended paths", "none at all", "no versions"],
)
def test_what_mirrors_nothing_gives_no_api(changed: Any) -> None:
    other = {"apis": [{"name": "own", "traffic_mirror": [{"path": "/", "destinations": ["http://d.test"]}]}]}
    assert [api.name for api in read(changed, other).apis] == ["own"]


class TestVersions:
    """Definitions with several versions."""

    def versioned(self, location: str, default: str = "v1", **changes: Any) -> tuple[Api, ...]:
        version = DEFINITION["version_data"]["versions"]["Default"]
        data = {
            "not_versioned": False,
            "default_version": default,
            "versions": {name: copy.deepcopy(version) for name in ("v1", "v2.0")},
        }
        named = {"location": location, "key": "V"}
        return read(definition(version_data=data, definition=named, **changes)).apis

    def test_the_default_version_comes_last_and_takes_what_names_no_other(self) -> None:
        second, first = self.versioned("header")
        assert (second.name, second.rules[0].match) == ("Users API v2.0", Match(headers=(("V", r"^v2\.0$"),)))
        assert (first.name, first.rules[0].match) == ("Users API v1", Match())

    def test_a_version_may_be_named_in_the_query(self) -> None:
        assert self.versioned("url-param")[0].rules[0].match == Match(query=(("V", r"^v2\.0$"),))

    def test_a_version_may_be_the_first_segment_of_the_path(self) -> None:
        assert [api.listen_path for api in self.versioned("url")] == ["/users-api/v2.0/", "/users-api/"]

    def test_without_a_default_every_version_is_conditional(self) -> None:
        assert all(api.rules[0].match.headers for api in self.versioned("header", default=""))

    def test_without_versioning_the_default_is_taken(self) -> None:
        version = DEFINITION["version_data"]["versions"]["Default"]
        versions = {"other": copy.deepcopy(version), "Default": version}
        data = {"not_versioned": True, "versions": versions}
        (api,) = read(definition(version_data=data)).apis
        assert api.rules[0].match == Match()


def test_definitions_of_one_name_are_told_apart() -> None:
    assert [api.name for api in read(definition(), definition()).apis] == ["Users API", "Users API #2"]


class TestEnvironment:
    """The gateway's `env://NAME`, and our `${NAME}`."""

    def test_both_are_replaced_in_rules(self) -> None:
        rule = only_rule(definition({"headers": {"A": "Bearer env://TOKEN", "B": "${TOKEN}"}}), TOKEN="t0p")
        assert rule.headers == (("A", "Bearer t0p"), ("B", "t0p"))

    def test_values_are_secrets(self) -> None:
        assert read(definition({"headers": {"A": "env://TOKEN"}}), TOKEN="t0p").secrets == ("t0p",)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("env://TOKEN", "found no environment variable TOKEN"),
            (
                "vault://a.b",
                "found a reference to the gateway's vault:// store, expected env://NAME or ${NAME}",
            ),
        ],
    )
    def test_what_is_out_of_reach_is_said(self, value: str, message: str) -> None:
        with pytest.raises(SpecError) as error:
            read(definition({"headers": {"A": value}}))
        assert message in str(error.value)


def test_mistakes_in_its_rules_are_said_at_their_places() -> None:
    wrong = definition(
        {
            "path": "/(",
            "method": "GE T",
            "sampel_rate": 1,
            "sample_rate": 2,
            "destinations": [{"url": "ftp://d", "timeout": "2s"}, {"headers": {"a b": "c"}}],
        },
        domain=5,
    )
    with pytest.raises(SpecError) as error:
        parse_spec([("api.yaml", yaml.safe_dump(wrong, sort_keys=False).encode())], {})
    base = "$.version_data.versions.Default.extended_paths.traffic_mirror[0]"
    assert [f"{each.path}: {each.found}" for each in error.value.problems] == [
        f'{base}.path: "/("',
        f'{base}.method: "GE T"',
        f'{base}.destinations[0].url: "ftp://d"',
        f'{base}.destinations[0].timeout: "2s"',
        f"{base}.destinations[1].url: nothing",
        f'{base}.destinations[1].headers["a b"]: the key "a b"',
        f"{base}.sample_rate: 2",
        f'{base}.sampel_rate: the unknown key "sampel_rate"',
        "$.domain: 5",
    ]


def test_a_destination_written_twice_is_one() -> None:
    url = {"url": "http://d.test"}
    (api,) = read(definition({"destinations": [url, {"url": "http://e.test"}, url]})).apis
    assert api.rules[0].destinations == (0, 1)
