"""What must not reach a test system does not: masked in the copy's bytes, or the copy is not sent."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.clients import exchange, request
from tests.e2e.stage import Stage, stage, tag
from tests.http1 import Message
from tests.protocols.sockets import echo, socket_server
from tests.proxies import proxy
from tests.servers import RecordingServer
from tests.waiting import wait_until

CARD = "4111-canary-card-1111"
SPEC = """
version: 1
destinations:
  plain: {url: $plain}
  tidy: {url: $tidy, redact: {headers: [X-Account], query: [token], json: ["$..card"]}}
apis:
  - name: all
    traffic_mirror:
      - name: orders
        path: /orders/*
        redact: {headers: [X-Person], query: [name], json: ["$$.customer.email"]}
        destinations: [plain, tidy]
      - {name: uploads, path: /uploads/*, redact: {json: ["$$.card"]}, max_body: 1MiB, destinations: [plain]}
""".replace("$..card", "$$..card")
JSON = [("Content-Type", "application/json")]
ORDER = {"customer": {"email": "canary-email", "id": 7}, "items": [{"card": CARD}, {"card": None}], "n": 1.10}


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("redaction")
    options = {"stream_large_bodies": "50k", "mirror_results": str(directory / "results.jsonl")}
    with stage(directory, SPEC, behaviours={"plain": None, "tidy": None}, options=options) as running:
        yield running


def send(on: Stage, word: str, body: bytes, *headers: tuple[str, str]) -> tuple[Message, Message, Message]:
    """An order's original, and its copies to both destinations."""
    sent = [("X-Person", "canary-person"), ("X-Account", "canary-account"), *headers]
    target = f"/orders/{word}?name=canary-name&n%61me=canary-name&token=canary-token&x=1"
    assert on.send(request(target, method="POST", headers=sent, body=body)).status == 200
    (original,), (plain,), (tidy,) = (on.received(server, word) for server in ("primary", "plain", "tidy"))
    return original, plain, tidy


def test_a_rule_masks_for_all_and_a_destination_for_itself(on: Stage) -> None:
    original, plain, tidy = send(on, tag(), json.dumps(ORDER).encode(), *JSON)
    assert original.header("x-person") == b"canary-person"
    assert json.loads(original.body) == ORDER

    assert (plain.header("x-person"), plain.header("x-account")) == (b"***", b"canary-account")
    assert plain.target.endswith(b"?name=***&n%61me=***&token=canary-token&x=1")
    assert json.loads(plain.body) == {**ORDER, "customer": {"email": "***", "id": 7}}

    assert (tidy.header("x-person"), tidy.header("x-account")) == (b"***", b"***")
    assert tidy.target.endswith(b"?name=***&n%61me=***&token=***&x=1")
    assert json.loads(tidy.body)["items"] == [{"card": "***"}, {"card": "***"}]
    assert b"canary" not in tidy.body + tidy.target + b"".join(value for _, value in tidy.headers)
    assert b"1.1" in tidy.body
    for copy in (plain, tidy):
        assert copy.header("content-length") == b"%d" % len(copy.body)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP"])
def test_an_encoded_body_is_masked_and_encoded_again(on: Stage, encoding: str) -> None:
    body = gzip.compress(json.dumps(ORDER).encode())
    original, plain, tidy = send(on, tag(), body, *JSON, ("Content-Encoding", encoding))
    assert original.body == body
    assert json.loads(gzip.decompress(plain.body))["customer"]["email"] == "***"
    assert CARD.encode() not in gzip.decompress(tidy.body)
    assert tidy.header("content-encoding") == encoding.encode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b'{"card": "canary-', JSON, id="json-that-is-none"),
        pytest.param(b"canary, not gzip", [*JSON, ("Content-Encoding", "gzip")], id="gzip-that-is-none"),
        pytest.param(b"canary in brotli", [*JSON, ("Content-Encoding", "br")], id="an-encoding-not-known"),
        pytest.param(gzip.compress(b'{"a": 1}')[:-9], [*JSON, ("Content-Encoding", "gzip")], id="cut-short"),
        pytest.param(gzip.compress(b"\0" * (65 << 20)), [*JSON, ("Content-Encoding", "gzip")], id="a-bomb"),
        pytest.param(b"[" * 5000 + b"]" * 5000, JSON, id="too-deep"),
    ],
)
def test_what_can_not_be_masked_is_not_sent(on: Stage, body: bytes, headers: list[tuple[str, str]]) -> None:
    word = tag()
    before = on.ended("orders", "plain").get(("skipped", "unredactable"), 0)
    assert on.send(request(f"/orders/{word}", method="POST", headers=headers, body=body)).status == 200
    wait_until(lambda: on.ended("orders", "plain").get(("skipped", "unredactable"), 0) == before + 1)
    assert len(on.received("primary", word)) == 1
    assert not [
        r for name in ("plain", "tidy") for r in on.servers[name].requests if word.encode() in r.target
    ]


def test_a_body_that_streams_by_is_not_sent(on: Stage) -> None:
    """It can't be masked before it is whole, and it has no limit."""
    word, body = tag(), json.dumps({"card": CARD, "more": "x" * 200_000}).encode()
    assert on.send(request(f"/uploads/{word}", method="POST", headers=JSON, body=body)).status == 200
    wait_until(lambda: on.ended("uploads", "plain") == {("skipped", "unredactable"): 1})
    assert on.received("primary", word)[0].body == body
    assert not [got for got in on.servers["plain"].requests if word.encode() in got.target]


def test_results_show_no_query_that_copies_must_not_carry(on: Stage) -> None:
    word = tag()
    send(on, word, b"{}", *JSON)
    file = on.proxy.confdir.parent / "results.jsonl"

    def lines() -> list[dict[str, str]]:
        read = file.read_text().splitlines() if file.exists() else []
        return [line for line in map(json.loads, read) if word in line["url"]]

    wait_until(lambda: len(lines()) == 2)
    for line in lines():
        assert "canary-name" not in line["url"] + line["copy_url"]
        if line["destination"] == "tidy":
            assert "canary-token" not in line["url"] + line["copy_url"]


def test_a_websocket_whose_messages_would_have_to_be_masked_is_not_mirrored(tmp_path: Path) -> None:
    spec = """
    version: 1
    apis:
      - name: all
        traffic_mirror:
          - {name: chat, path: /*, websocket: true, redact: {json: ["$.card"]}, destinations: ["%s"]}
    """
    with ExitStack() as running:
        primary = running.enter_context(socket_server(echo))
        shadow = running.enter_context(RecordingServer())
        started = running.enter_context(proxy(tmp_path, spec % shadow.url, mode=f"reverse:{primary.url}"))
        with connect(f"ws://127.0.0.1:{started.port}/chat", proxy=None) as client:
            client.send(json.dumps({"card": CARD}))
            assert CARD in str(client.recv(5))
        total = started.settled(1)
        assert shadow.connections == 0
    assert total["copies"][0]["outcomes"] == {"skipped": {"unredactable": 1}}


def test_what_mitmproxy_adds_for_the_primary_goes_to_the_primary_only(tmp_path: Path) -> None:
    """`upstream_auth` in reverse mode: its Authorization is not the client's."""
    added = b"Basic " + base64.b64encode(b"user:canary-upstream")
    with stage(
        tmp_path,
        SPEC,
        behaviours={"plain": None, "tidy": None},
        options={"upstream_auth": "user:canary-upstream"},
    ) as on:
        original, plain, tidy = send(on, tag(), b"{}", *JSON, ("Authorization", "Bearer client"))
    assert added in original.all("authorization")
    for copy in (plain, tidy):
        assert copy.all("authorization") == []
        assert added not in [value for _, value in copy.headers]


def test_credentials_for_the_proxy_end_at_the_proxy(tmp_path: Path) -> None:
    """`proxyauth`: the client's Proxy-Authorization is for mitmproxy alone."""
    secret = base64.b64encode(b"user:canary-proxyauth").decode()
    with RecordingServer() as primary, RecordingServer() as shadow:
        spec = SPEC.replace("$plain", shadow.url).replace("$tidy", shadow.url).replace("$$", "$")
        with proxy(tmp_path, spec, options={"proxyauth": "user:canary-proxyauth"}) as running:
            url, word = f"{primary.url}/orders/", tag()
            host = f"{primary.host}:{primary.port}"
            assert exchange(running.port, request(url + word, host=host)).status == 407
            fields = [("Proxy-Authorization", f"Basic {secret}"), ("Proxy-Connection", "keep-alive")]
            answer = exchange(running.port, request(url + word, host=host, headers=fields))
            assert answer.status == 200
            (got, again) = shadow.wait_for(2)
            log = running.log
    for copy in (got, again):
        names = {name.lower() for name, _ in copy.headers}
        assert not names & {b"proxy-authorization", b"proxy-connection"}
        assert secret.encode() not in b"".join(value for _, value in copy.headers)
    assert "canary-proxyauth" not in "".join(line for line in log.splitlines() if "mirror" in line)
