"""Secrets planted wherever one can be, and looked for in everything that the mirror says or shows."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from tests.clients import request
from tests.e2e.stage import Stage, stage, tag
from tests.http1 import Message
from tests.proxies import PASSWORD, ROOT
from tests.servers import computing, response
from tests.waiting import wait_until

# Each is found nowhere but where a secret was: no canary is part of another, or of any word.
FROM_ENVIRONMENT = {
    "TOKEN": "canary-env-token-71c2",
    "USERINFO": "canary-env-user:canary-env-pass-52d8",
    "KEY": "canary-env-key-9a03",
    "PROXY": "canary-env-proxy-c411",
    "TEXT": 'canary-env-"text/5a5a',
}
AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION = (
    "canary-authorization-0f6e", "canary-cookie-b7d1", "canary-proxyauth-23aa",
)  # fmt: skip
SET_BY_PRIMARY, SET_BY_SHADOW = "canary-set-by-primary-8e11", "canary-set-by-shadow-4d90"
IN_QUERY = "canary-query-1b1b"
SECRETS = {
    *FROM_ENVIRONMENT.values(),
    "text/5a5a",
    "text%2F5a5a",
    "canary-env-user",
    "canary-env-pass-52d8",
    base64.b64encode(FROM_ENVIRONMENT["USERINFO"].encode()).decode(),
    AUTHORIZATION,
    COOKIE,
    PROXY_AUTHORIZATION,
    SET_BY_PRIMARY,
    SET_BY_SHADOW,
    IN_QUERY,
}

SPEC = """
version: 1
destinations:
  shadow:
    url: $shadow/?key=${KEY}
    headers: {Authorization: "Bearer ${TOKEN}", X-Api: "v-${KEY}", X-Text: "${TEXT}"}
    redact: {query: [password]}
  known:
    url: "http://${USERINFO}@127.0.0.1:1/${KEY}"
    timeout: 2s
    redact: {query: [password]}
  proxied:
    url: http://nosuch.invalid
    proxy: "http://u:${PROXY}@127.0.0.1:1"
    timeout: 2s
    redact: {query: [password]}
apis:
  - name: all
    traffic_mirror:
      - name: rule-${KEY}
        path: "/{first:x|${KEY}}/*"
        match: {headers: {X-Key: "^(?:${KEY}|.*)"}}
        headers: {X-Rule: "${TOKEN}"}
        compare: {ignore: ["body:$$.none-${KEY}"]}
        destinations: [shadow, known, proxied]
      - {name: paused, path: /never, sample_rate: 0, destinations: [shadow], redact: {query: [password]}}
"""
QUESTIONS = (
    "/metrics",
    "/api/summary",
    "/api/differences",
    "/api/latencies",
    "/api/noise",
    "/api/failures",
    "/api/page/overview",
    "/api/page/rules",
    "/api/page/rule?index=0",
    "/api/page/differences",
    "/api/page/spec",
)


def primary(got: Message) -> bytes:
    """What it answers holds what the client sent, as an echo or an error message would."""
    return answer(got, SET_BY_PRIMARY, "primary")


def shadow(got: Message) -> bytes:
    """The same from the shadow, which gets other credentials."""
    return answer(got, SET_BY_SHADOW, "shadow")


def answer(got: Message, cookie: str, who: str) -> bytes:
    sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in got.headers}
    body = {
        f"{who}-echo": sent.get("Authorization", ""),
        f"{who}-cookies": sent.get("Cookie", ""),
        f"{who}-set": f"the cookie is {cookie}",
        f"{who}-rule": sent.get("X-Rule", ""),
        f"{who}-sessions": {sent.get("X-Rule", ""): 1, f"of {sent.get('Cookie', '')}": 2, cookie: 3},
        f"{who}-written": [json.dumps(sent.get("X-Text", "")), quote_plus(sent.get("X-Text", ""))],
        f"{who}-key": [sent.get("X-Api", ""), got.target.decode("latin-1").replace(IN_QUERY, "")],
    }
    headers = [
        ("Content-Type", "application/json"),
        ("Set-Cookie", f"sid={cookie}; Path=/{who}"),
        ("Authorization", f"Bearer {cookie}"),
        ("WWW-Authenticate", f"Basic realm={who}"),
        (f"X-{who}", sent.get("Authorization", "none")),
    ]
    return response(body=json.dumps(body).encode(), headers=headers)


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("secrets")
    with stage(
        directory,
        SPEC.replace("${", "$${"),
        behaviours={"primary": computing(primary), "shadow": computing(shadow)},
        tool="mitmweb",
        options={
            "mirror_results": str(directory / "results.jsonl"),
            "mirror_failed": str(directory / "failed.mitm"),
            "termlog_verbosity": "debug",
        },
        env=FROM_ENVIRONMENT,
    ) as running:
        word = tag()
        fields = [
            ("Authorization", f"Bearer {AUTHORIZATION}"),
            ("Cookie", f"theme=dark; sid={COOKIE}"),
            ("Proxy-Authorization", f"Basic {PROXY_AUTHORIZATION}"),
            ("X-Key", "any"),
        ]
        for turn in range(3):
            target = f"/x/{word}/{turn};session={COOKIE}?password={IN_QUERY}&a=1"
            assert running.send(request(target, headers=fields)).status == 200
        assert running.send(request(f"/never?password={IN_QUERY}", headers=fields)).status == 200
        running.proxy.settled(10)
        wait_until(lambda: running.proxy.summary()["verdicts"]["differ"] == 3)
        spec = directory / "mirror.yaml"
        good = spec.read_text()
        spec.write_text(
            good.replace("timeout: 2s", "timeout: ${KEY}")
            .replace("/{first:", "/{${TOKEN}")
            .replace("/never", "/{x:(${KEY}}")
        )
        running.proxy.wait_for_log("refused")
        spec.write_text(good)
        wait_until(lambda: running.proxy.summary()["spec"]["ok"])
        yield running


def assert_holds_none(what: str, text: str) -> None:
    assert text
    found = sorted(secret for secret in SECRETS if secret in text)
    assert not found, f"{what} shows {found}: …{around(text, found[0])}…" if found else ""


def around(text: str, secret: str) -> str:
    place = text.index(secret)
    return text[max(0, place - 100) : place + 100]


@pytest.mark.parametrize("path", QUESTIONS)
def test_the_page_shows_none(on: Stage, path: str) -> None:
    assert_holds_none(path, on.proxy.get(path).decode())


def test_the_differences_are_there_all_the_same(on: Stage) -> None:
    """Masked, not left out: what differs is still told."""
    places = {group["place"] for group in json.loads(on.proxy.get("/api/differences"))}
    wanted = {"X-Primary", "X-Shadow"}
    assert {f"header:{name}" for name in wanted} <= places
    assert {f"body:$.{who}-{what}" for who in ("primary", "shadow") for what in ("echo", "set")} <= places


def test_the_log_shows_none(on: Stage) -> None:
    """With all that mitmproxy logs at its most talkative; it says nothing of headers."""
    lines = [line for line in on.proxy.log.splitlines() if "mirror" in line]
    assert len(lines) > 5
    assert_holds_none("the log", "\n".join(lines))


def test_the_results_show_none(on: Stage) -> None:
    file = on.proxy.confdir.parent / "results.jsonl"
    wait_until(lambda: file.read_text().count("\n") == 10, message=file.read_text)
    assert_holds_none("the results", file.read_text())
    assert '"primary":"***"' in file.read_text()


@pytest.mark.parametrize("name", ["mirror.status", "mirror.rules", "mirror.differences"])
def test_commands_show_none(on: Stage, name: str) -> None:
    assert_holds_none(name, json.dumps(on.proxy.command(name)))


def test_shown_flows_say_none_in_their_words(on: Stage) -> None:
    """A flow holds the request itself; what we write beside it, in comments, marks and errors, is clean."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{on.proxy.web_port}/flows", headers={"Authorization": f"Bearer {PASSWORD}"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answered:
        flows = json.load(answered)
    copies = [flow for flow in flows if flow.get("is_replay") == "request"]
    assert len(copies) >= 9
    words = [[flow.get("comment"), flow.get("marked"), flow.get("error")] for flow in flows]
    assert_holds_none("the flows", json.dumps(words))


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["check", "--json"],
        ["explain", "GET", f"http://api.test/x/1?password={IN_QUERY}"],
        ["explain", "--json", "GET", "http://api.test/x/1", "-H", f"Cookie: sid={COOKIE}"],
    ],
    ids=" ".join,
)
def test_the_command_line_shows_none(on: Stage, arguments: list[str]) -> None:
    spec = str(on.proxy.confdir.parent / "mirror.yaml")
    command, *rest = arguments
    options = [word for word in rest if word.startswith("--")]
    others = [word for word in rest if not word.startswith("--")]
    done = subprocess.run(
        [sys.executable, "-m", "traffic_mirror", command, *options, spec, *others],
        cwd=ROOT,
        env=FROM_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = "\n".join(line for line in (done.stdout + done.stderr).splitlines())
    assert done.returncode == 0, said
    given = {IN_QUERY, COOKIE} if command == "explain" else set()  # what the user typed is theirs
    found = [secret for secret in SECRETS - given if secret in said]
    assert not found, said


def test_what_failed_is_kept_for_its_owner_alone(on: Stage) -> None:
    """The file holds whole requests, which is what it is for."""
    file: Path = on.proxy.confdir.parent / "failed.mitm"
    wait_until(file.exists)
    assert file.stat().st_mode & 0o077 == 0
    assert PROXY_AUTHORIZATION not in file.read_bytes().decode("latin-1")
