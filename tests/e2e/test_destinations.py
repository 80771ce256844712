"""Several destinations: each gets its copies, whatever happens at the others, and the client sees nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients import Client, request
from tests.e2e.stage import Stage, stage, tag
from tests.servers import (
    Gate,
    answering,
    closing,
    never,
    refused_port,
    resetting,
    sending,
)
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  one: {{url: $one}}
  two: {{url: $two}}
  down: {{url: "http://127.0.0.1:{down}", timeout: 2s}}
  mute: {{url: $mute, timeout: 1s}}
  resetting: {{url: $resetting, timeout: 2s}}
  closing: {{url: $closing, timeout: 2s}}
  garbled: {{url: $garbled, timeout: 2s}}
  nameless: {{url: "http://no-such-host.invalid", timeout: 3s}}
  moved: {{url: $moved}}
  failing: {{url: $failing}}
apis:
  - name: all
    traffic_mirror:
      - name: several
        path: /several/*
        destinations: [one, down, mute, resetting, closing, garbled, nameless, moved, failing, two]
      - name: waits
        path: /waits/*
        async: false
        destinations: [one, two]
      - name: waits-in-vain
        path: /waits-in-vain/*
        async: false
        destinations: [one, mute]
"""


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    behaviours = {
        "one": None,
        "two": None,
        "mute": never,
        "resetting": resetting,
        "closing": closing,
        "garbled": sending(b"no HTTP at all\r\n\r\n", close=True),
        "moved": answering(302, b"", [("Location", "/elsewhere")]),
        "failing": answering(503, b"not now"),
    }
    with refused_port() as down:
        spec = SPEC.format(down=down)
        directory = tmp_path_factory.mktemp("destinations")
        options = {"mirror_results": str(directory / "results.jsonl")}
        with stage(directory, spec, behaviours=behaviours, options=options) as running:
            yield running


def test_the_ones_that_work_get_theirs_and_the_client_sees_nothing(on: Stage) -> None:
    word = tag()
    with Client(on.proxy.port) as client:
        for number in range(5):
            answer = client.exchange(request(f"/several/{word}/{number}", method="POST", body=b"payload"))
            assert (answer.status, answer.body) == (200, b"ok")
    for name in ("one", "two", "moved", "failing"):
        assert {copy.body for copy in on.received(name, word, 5)} == {b"payload"}
    assert len(on.received("primary", word, 5)) == 5
    expected = {
        "one": ("delivered", "2xx"),
        "two": ("delivered", "2xx"),
        "down": ("failed", "connect"),
        "mute": ("failed", "timeout"),
        "resetting": ("failed", "reset"),
        "closing": ("failed", "reset"),
        "garbled": ("failed", "protocol"),
        "nameless": ("failed", "dns"),
        "moved": ("delivered", "3xx"),
        "failing": ("delivered", "5xx"),
    }
    for name, ending in expected.items():
        on.wait_until_ended("several", name, {ending: 5})


def test_a_redirect_is_not_followed(on: Stage) -> None:
    word = tag()
    on.send(request(f"/several/{word}"))
    (copy,) = on.received("moved", word)
    assert copy.target == f"/several/{word}".encode()
    assert not [got for got in on.servers["moved"].requests if got.target == b"/elsewhere"]


def test_a_rule_that_waits_lets_the_request_go_on_when_its_copies_have_ended(on: Stage) -> None:
    word, gate = tag(), Gate()
    on.servers["two"].behaviour = gate
    with Client(on.proxy.port) as client:
        client.send(request(f"/waits/{word}"))
        on.received("one", word)
        on.received("two", word)
        assert not [got for got in on.primary.requests if word.encode() in got.target]
        gate.open()
        assert client.receive().status == 200
    on.received("primary", word)


def test_a_rule_that_waits_does_so_no_longer_than_its_destinations_may_take(on: Stage) -> None:
    word = tag()
    answer = on.send(request(f"/waits-in-vain/{word}"))
    assert answer.status == 200
    on.received("one", word)
    on.wait_until_ended("waits-in-vain", "mute", {("failed", "timeout"): 1})
    results = on.proxy.confdir.parent / "results.jsonl"

    def line() -> dict[str, Any] | None:
        read = results.read_text().splitlines() if results.exists() else []
        found = [json.loads(text) for text in read if word in text]
        return next((row for row in found if row["destination"] == "mute"), None)

    row = wait_until(line)
    assert row is not None
    assert row["primary_seconds"] < row["seconds"], "the wait is not the primary's"
    on.wait_until_ended("waits-in-vain", "one", {("delivered", "2xx"): 1})
