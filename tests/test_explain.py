"""The command `explain`: which rule takes a request, why others do not, and what would be sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from traffic_mirror.__main__ import main

SPEC = """
version: 1
destinations:
  shadow:
    url: https://user:${PASSWORD}@shadow.test:8443/base?tenant=s
    headers: {X-Env: shadow, X-Token: "t-${TOKEN}"}
    remove_headers: [Cookie]
apis:
  - name: users
    hosts: [api.test, "*.api.test"]
    listen_path: /users-api/
    strip_listen_path: true
    traffic_mirror:
      - {name: create, path: /users, method: POST, destinations: [shadow]}
      - {name: old, path: "/*", disabled: true, destinations: [shadow]}
      - name: beta
        path: /users/{id}
        match: {headers: {X-Beta: "^1$"}}
        destinations: [shadow]
      - name: read
        path: /users/{id}
        method: GET
        destinations: [shadow, {url: "http://127.0.0.1:9002"}]
      - {name: rest, path: ^/users, destinations: [shadow]}
  - name: other
    hosts: [other.test]
    traffic_mirror:
      - {name: all, path: "/*", compare: true, destinations: ["http://[::1]:9003"]}
"""
MARKERS = [
    ["X-Traffic-Mirror", "true"],
    ["X-Traffic-Mirror-Source", "api.test"],
    ["X-Traffic-Mirror-Timestamp", "<unix seconds>"],
    ["X-Traffic-Mirror-Id", "<flow id>"],
]


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PASSWORD", "hunter22")
    monkeypatch.setenv("TOKEN", "sesame-1234")
    path = tmp_path / "mirror.yaml"
    path.write_text(SPEC)
    return str(path)


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["explain", "--json", *arguments]) == 0
    shown, said = capsys.readouterr()
    assert said == ""
    result: dict[str, Any] = json.loads(shown)
    return result


def test_one_object_says_it_all(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://api.test/users-api/users/a%2Fb?x=1#top"
    assert explain(capsys, spec, "get", url, "-H", "Cookie: a=b", "-H", "X-A:1") == {
        "matched": True,
        "api": "users",
        "rule": "read",
        "copies": [
            {
                "destination": "shadow",
                "sampled": None,
                "url": "https://shadow.test:8443/base/users/a%2Fb?tenant=s&x=1",
                "headers": [
                    ["Host", "shadow.test:8443"],
                    ["X-A", "1"],
                    ["X-Env", "shadow"],
                    ["X-Token", "t-***"],
                    ["Authorization", "Basic ***"],
                    *MARKERS,
                ],
            },
            {
                "destination": "http://127.0.0.1:9002",
                "sampled": None,
                "url": "http://127.0.0.1:9002/users/a%2Fb?x=1",
                "headers": [["Host", "127.0.0.1:9002"], ["Cookie", "a=b"], ["X-A", "1"], *MARKERS],
            },
        ],
        "why": [
            {
                "api": "users",
                "rule": "create",
                "reason": "method is GET, the rule takes POST; "
                "path /users-api/users/a%2Fb does not match /users below /users-api/",
            },
            {"api": "users", "rule": "old", "reason": "disabled"},
            {"api": "users", "rule": "beta", "reason": "header X-Beta is absent"},
            {"api": "users", "rule": "rest", "reason": "an earlier rule took it: users / read"},
            {"api": "other", "rule": "all", "reason": "host is api.test, the API takes other.test"},
        ],
    }


def test_an_unmatched_request_is_explained_too(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = explain(capsys, spec, "GET", "http://nowhere.test")
    assert (found["matched"], found["api"], found["rule"], found["copies"]) == (False, None, None, [])
    assert len(found["why"]) == 6


@pytest.mark.parametrize(
    ("rule", "destination", "said"),
    [
        ("", "", ""),
        ("sample_rate: 0.25", "", " (25 % of such requests)"),
        ("sample_rate: 0", "", " (0 % of such requests)"),
        ("sample_rate: 0.1, sample_by: client_ip", "", " (10 % of such requests, alike by client_ip)"),
        (
            "sample_by: 'header:X-User'",
            "sample_rate: 0.5",
            " (50 % of such requests, alike by header X-User)",
        ),
        ("sample_rate: 0.1", "sample_rate: 0.3", " (3 % of such requests)"),
        ("max_rate: 600/m", "", " (at most 10 a second)"),
        ("sample_rate: 0.5, max_rate: 2/s", "", " (50 % of such requests, at most 2 a second)"),
        ("sample_by: path", "", ""),
    ],
)
def test_how_many_are_copied_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: str, destination: str, said: str
) -> None:
    spec = tmp_path / "mirror.yaml"
    spec.write_text(
        f"destinations: {{shadow: {{url: 'http://s.test', {destination}}}}}\n"
        f"apis: [{{traffic_mirror: [{{path: /a, {rule}{rule and ', '}destinations: [shadow]}}]}}]\n"
    )
    assert main(["explain", str(spec), "GET", "http://h.test/a"]) == 0
    assert f"\ncopy to shadow{said}: http://s.test/a\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rule", "header", "said"),
    [
        ("", "x-my: no", " (skipped: the request is a copy itself)"),
        ("", "X-Traffic-Mirror: true", ""),
        ("", "Upgrade: WebSocket", " (skipped: the rule does not say websocket: true)"),
        ("websocket: true, ", "Upgrade: websocket", ""),
    ],
)
def test_what_is_skipped_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: str, header: str, said: str
) -> None:
    spec = tmp_path / "mirror.yaml"
    spec.write_text(
        "marker_headers: X-My\n"
        f"apis: [{{traffic_mirror: [{{path: /a, {rule}destinations: ['http://s.test']}}]}}]\n"
    )
    assert main(["explain", str(spec), "GET", "http://h.test/a", "-H", header]) == 0
    assert f"\ncopy to http://s.test{said}: http://s.test/a\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("filter_", "taken"),
    [
        ("~m GET & ~u :8080/a & ~hq X-A", "filtered"),
        ("~d h.test & !~bq needle", "filtered"),
        ("~m POST", "rest"),
        ("~bq needle", "rest"),
        ("~src 10.", "rest"),
        ("~websocket", "rest"),
    ],
)
def test_filters_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], filter_: str, taken: str
) -> None:
    spec = tmp_path / "mirror.yaml"
    rules = [
        {"name": "filtered", "path": "/a", "match": {"filter": filter_}, "destinations": ["http://s.test"]},
        {"name": "rest", "path": "/*", "destinations": ["http://s.test"]},
    ]
    spec.write_text(json.dumps({"apis": [{"name": "x", "traffic_mirror": rules}]}))
    found = explain(capsys, str(spec), "GET", "http://h.test:8080/a", "-H", "X-A: 1")
    assert found["rule"] == taken
    if taken == "rest":
        assert found["why"] == [
            {
                "api": "x",
                "rule": "filtered",
                "reason": f"filter {filter_} does not match the request, "
                "of which method, URL and headers are known here",
            }
        ]


def test_people_read_it_as_text(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", spec, "GET", "http://other.test:80/x?y", "-H", "Authorization: Bearer abc"]) == 0
    assert capsys.readouterr().out == (
        "GET http://other.test:80/x?y is taken by other / all\n"
        "\n"
        "copy to http://[::1]:9003: http://[::1]:9003/x?y\n"
        "    Host: [::1]:9003\n"
        "    Authorization: Bearer ***\n"
        "    traceparent: <made from the flow id>\n"
        "    X-Traffic-Mirror: true\n"
        "    X-Traffic-Mirror-Source: other.test\n"
        "    X-Traffic-Mirror-Timestamp: <unix seconds>\n"
        "    X-Traffic-Mirror-Id: <flow id>\n"
        "\n"
        "rules that do not take it:\n"
        "    users / create: method is GET, the rule takes POST; host is other.test, "
        "the API takes api.test, *.api.test\n"
        "    users / old: disabled\n"
        "    users / beta: host is other.test, the API takes api.test, *.api.test\n"
        "    users / read: host is other.test, the API takes api.test, *.api.test\n"
        "    users / rest: host is other.test, the API takes api.test, *.api.test\n"
    )
    assert main(["explain", spec, "GET", "http://x.test/"]) == 0
    assert capsys.readouterr().out.startswith("GET http://x.test/ is taken by no rule\n\nrules that do not")


def test_secrets_are_not_shown_wherever_they_are(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--json"], []):
        url = "https://api.test/users-api/users/sesame-1234?hunter22"
        assert main(["explain", *arguments, spec, "GET", url, "-H", "X: sesame-1234"]) == 0
        shown = capsys.readouterr().out
        assert "sesame-1234" not in shown
        assert "hunter22" not in shown


@pytest.mark.parametrize(
    ("url", "headers", "taken"),
    [
        ("http://10.0.0.1/users-api/users/1", ["Host: API.test:81"], "read"),
        ("http://x:y@api.test/users-api/users/1", [], "read"),
        ("HTTP://api.test:8080/users-api/users/1", ["X-Beta: 1"], "beta"),
        ("http://a.b.api.test./users-api", [], None),
        ("http://[::1]/", ["Host: other.test"], "all"),
        ("http://other.test?x", [], "all"),
        ("http://other.test/a b\u00e9", [], "all"),
    ],
)
def test_a_request_is_read_as_the_proxy_would_see_it(
    spec: str, capsys: pytest.CaptureFixture[str], url: str, headers: list[str], taken: str | None
) -> None:
    options = [part for header in headers for part in ("-H", header)]
    assert explain(capsys, spec, "GET", url, *options)["rule"] == taken


def test_a_trace_context_of_the_clients_is_shown(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = explain(capsys, spec, "GET", "http://other.test/", "-H", "traceparent: 00-1-2-3")
    assert ["traceparent", "00-1-2-3"] in found["copies"][0]["headers"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["GET", "/users/1"],
            "found the URL '/users/1', expected a whole one such as http://api.test/users/42",
        ),
        (["GET", "ftp://x/"], "found the URL 'ftp://x/', expected a whole one"),
        (["GET", "http://[::1/x"], "found the URL 'http://[::1/x', expected a whole one"),
        (["GET", "http://x/", "-H", "NoColon"], "found the header 'NoColon', expected 'Name: value'"),
        (["GET", "http://x/", "-H", ": x"], "found the header ': x', expected 'Name: value'"),
        (["GET", "http://x/", "-H", "X: a\r\nY: b"], "found CR, LF or NUL"),
        (["GET", "http://x/\n"], "found CR, LF or NUL"),
    ],
)
def test_what_is_no_request_is_said_with_exit_2(
    spec: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["explain", spec, *arguments]) == 2
    shown, said = capsys.readouterr()
    assert shown == ""
    assert said.startswith(f"explain: {message}")


def test_a_bad_spec_is_said_with_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\napis: 7\nnothing: 1\n")
    assert main(["explain", "--json", str(bad), "GET", "http://x/"]) == 1
    shown, said = capsys.readouterr()
    assert shown == ""
    assert f"{bad}:2:" in said
    assert f"{bad}:3:" in said


def test_a_credential_that_the_spec_sets_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "mirror.yaml"
    spec.write_text(
        "version: 1\n"
        "apis: [{name: a, traffic_mirror: [{path: /, destinations: "
        "[{url: http://s.test, headers: {Cookie: sid=hunter2, Set-Cookie: hunter2}}]}]}]\n"
    )
    assert main(["explain", str(spec), "GET", "http://h.test/", "-H", "Cookie: a=b"]) == 0
    said = capsys.readouterr().out
    assert "    Cookie: ***\n" in said
    assert "hunter2" not in said
