"""Addons beside the mirror: what they do to a flow after it has seen it is no part of the copy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients import request
from tests.e2e.stage import Stage, stage, tag
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  shadow: {url: $shadow}
apis:
  - name: all
    traffic_mirror:
      - {name: compared, path: /compared/*, destinations: [shadow], compare: true}
      - {name: rest, path: "^/t", destinations: [shadow]}
"""

AFTER = """
from mitmproxy import http

def request(flow):
    flow.request.path += "&changed=1" if "?" in flow.request.path else ""
    flow.request.headers["X-Of-The-Other"] = "1"
    if flow.request.content:
        flow.request.content = b"changed"
    if "answered" in flow.request.path:
        flow.response = http.Response.make(418, b"by the other")

def response(flow):
    flow.response.content = b"changed"
    flow.response.headers["Content-Type"] = "text/x-changed"
"""


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("others")
    addon = directory / "after.py"
    addon.write_text(AFTER)
    with stage(directory, SPEC, behaviours={"shadow": None}, arguments=["-s", str(addon)]) as running:
        yield running


def test_a_copy_is_of_the_request_as_the_mirror_saw_it(on: Stage) -> None:
    word = tag()
    assert on.send(request(f"/{word}?a=1", method="POST", body=b"whole")).body == b"changed"
    (original,) = on.received("primary", word)
    (copy,) = on.received("shadow", word)
    assert (original.target, original.body) == (f"/{word}?a=1&changed=1".encode(), b"changed")
    assert (copy.target, copy.body) == (f"/{word}?a=1".encode(), b"whole")
    assert (original.header("x-of-the-other"), copy.header("x-of-the-other")) == (b"1", None)


def test_a_verdict_is_on_the_primarys_own_answer(on: Stage) -> None:
    word = tag()
    assert on.send(request(f"/compared/{word}")).body == b"changed"
    wait_until(
        lambda: on.proxy.summary()["verdicts"]["match"] == 1,
        10,
        lambda: f"a match: {on.proxy.summary()}",
    )


def test_a_request_that_another_addon_answers_afterwards_is_mirrored(on: Stage) -> None:
    word = tag()
    assert on.send(request(f"/{word}/answered")).status == 418
    on.received("shadow", word)
    assert [got for got in on.primary.requests if word.encode() in got.target] == []
