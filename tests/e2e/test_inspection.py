"""Inspection with real tools: commands through mitmweb, copies in saved files, progress on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http, io
from mitmproxy.test import tflow

from tests.clients import exchange, request
from tests.proxies import ADDON, PASSWORD, Proxy, proxy
from tests.servers import RecordingServer, answering
from tests.waiting import wait_until
from traffic_mirror.edge.shown import OF

JSON = [("Content-Type", "application/json")]


def server(price: int) -> RecordingServer:
    return RecordingServer(answering(200, json.dumps({"price": price}).encode(), JSON))


def spec_of(shadow: RecordingServer, spare: RecordingServer) -> str:
    return f"""\
version: 1
destinations:
  shadow: {{url: "{shadow.url}"}}
  spare: {{url: "{spare.url}"}}
apis:
  - {{name: shop, traffic_mirror: [{{name: items, path: /items/*, sample_rate: 0, destinations: [shadow]}}]}}
"""


class Web:
    """A mitmweb whose rule copies nothing by itself, and the servers behind it."""

    def __init__(self, running: Proxy, shadow: RecordingServer, spare: RecordingServer) -> None:
        self.proxy = running
        self.shadow = shadow
        self.spare = spare

    def flows(self) -> list[dict[str, Any]]:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.proxy.web_port}/flows", headers={"Authorization": f"Bearer {PASSWORD}"}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            flows: list[dict[str, Any]] = json.load(answer)
        return flows

    def sums_up(self, path: str) -> bool:
        """Whether the original of that path tells of an answered copy."""
        comments = [flow["comment"] for flow in self.flows() if path in flow["request"]["path"]]
        return any(it.startswith("copied → ") and "shadow: 200 in" in it for it in comments)

    def comments(self, start: str) -> list[str]:
        return [flow["comment"] for flow in self.flows() if flow["comment"].startswith(start)]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with server(1) as primary, server(2) as shadow, server(1) as spare:
        here = tmp_path_factory.mktemp("web")
        options = {"mirror_shown": "4"}
        spec = spec_of(shadow, spare)
        with proxy(here, spec, tool="mitmweb", mode=f"reverse:{primary.url}", options=options) as running:
            yield Web(running, shadow, spare)


def test_a_flow_is_sent_by_hand_where_its_rule_says(web: Web) -> None:
    exchange(web.proxy.port, request("/items/send-by-rule"))
    assert web.proxy.command("mirror.send", "~u send-by-rule") == ["1 copy of 1 flow sent"]
    wait_until(lambda: web.comments("copy of "), message="the copy")
    (original,) = web.comments("copied → shadow: sampled_out: rule_rate; shadow: 200 in")
    assert "differs: body $.price" in original
    assert [got.target for got in web.shadow.requests] == [b"/items/send-by-rule"]


def test_a_flow_is_sent_to_a_destination_without_a_rule(web: Web) -> None:
    exchange(web.proxy.port, request("/no-rule?x=1", method="POST", body=b"hello"))
    assert web.proxy.command("mirror.send", "~u no-rule", "spare") == ["1 copy of 1 flow sent"]
    (got,) = web.spare.wait_for(1)
    assert (got.target, got.body) == (b"/no-rule?x=1", b"hello")
    wait_until(lambda: "spare: 200" in "".join(web.comments("copied → ")), message="the original's comment")
    rows = {(row["api"], row["rule"], row["destination"]) for row in web.proxy.summary()["copies"]}
    assert ("mirror.send", "by hand", "spare") in rows


def test_what_can_not_be_sent_is_said(web: Web) -> None:
    exchange(web.proxy.port, request("/nobody-takes-this"))
    first, second = web.proxy.command("mirror.send", "~u nobody-takes-this")
    assert first == "0 copies of 0 flows sent"
    assert second.startswith("1 flow not sent: taken by no rule")
    with pytest.raises((AssertionError, urllib.error.HTTPError)):
        web.proxy.command("mirror.send", "~u nobody-takes-this", "elsewhere")


def test_commands_tell_destinations_diffs_and_differences(web: Web) -> None:
    exchange(web.proxy.port, request("/items/diff-me"))
    web.proxy.command("mirror.send", "~u diff-me")
    wait_until(lambda: web.comments("copied → shadow: "), message="a copy")
    assert web.proxy.command("mirror.destinations") == ["shadow", "spare"]
    flow = next(f["id"] for f in web.flows() if "diff-me" in f["request"]["path"])
    wait_until(
        lambda: '+    "price": 2' in web.proxy.command("mirror.diff", "~u diff-me & !~replayq"), message=flow
    )
    wait_until(lambda: "$.price value" in web.proxy.command("mirror.differences")[0], message="the groups")


def test_only_the_newest_copies_stay(web: Web) -> None:
    for number in range(6):
        exchange(web.proxy.port, request(f"/items/many-{number}"))
        web.proxy.command("mirror.send", f"~u many-{number}")
        wait_until(partial(web.sums_up, f"many-{number}"), message="the copy")
    assert len(web.comments("copy of ")) == 4


def test_mitmdump_saves_copies_where_it_is_asked_to(tmp_path: Path) -> None:
    with server(1) as primary, server(2) as shadow:
        spec = f"""\
version: 1
apis: [{{name: a, traffic_mirror: [{{path: "/*", destinations: [{{url: "{shadow.url}"}}]}}]}}]
"""
        file = tmp_path / "flows"
        options = {"mirror_inspect": "on", "save_stream_file": str(file)}
        with proxy(tmp_path / "dump", spec, mode=f"reverse:{primary.url}", options=options) as running:
            exchange(running.port, request("/x"))
            running.settled(1)
            wait_until(lambda: len(read(file)) == 2, message=lambda: f"two flows\n{running.log}")
        original, copy = read(file)
    assert copy.metadata[OF] == original.id
    assert copy.response is not None
    assert copy.response.content == b'{"price": 2}'


def read(file: Path) -> list[http.HTTPFlow]:
    """The flows of a file that may still be written."""
    if not file.exists():
        return []
    flows = []
    with file.open("rb") as stream:
        try:
            flows += list(io.FlowReader(stream).stream())
        except Exception:  # noqa: BLE001 - half a flow, so far
            return []
    return [flow for flow in flows if isinstance(flow, http.HTTPFlow)]


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are another matter there")
def test_a_recording_shows_its_progress_on_a_terminal(tmp_path: Path) -> None:
    file = tmp_path / "flows"
    with file.open("wb") as out:
        writer = io.FlowWriter(out)
        for _ in range(60):
            writer.add(tflow.tflow(resp=True))
    with RecordingServer() as shadow:
        (tmp_path / "mirror.yaml").write_text(
            "version: 1\n"
            f"destinations: {{d: {{url: '{shadow.url}', max_in_flight: 1, queue: {{copies: 1}}}}}}\n"
            "apis: [{name: a, traffic_mirror: [{path: '/*', destinations: [d]}]}]\n"
        )
        shadow.behaviour = answering(200)
        said = on_terminal(tmp_path, file)
        assert len(shadow.requests) == 60
    assert "mirror: 60 selected = 60 delivered" in said
    assert " of 60 flows (" in said


def on_terminal(here: Path, file: Path) -> str:
    """What mitmdump says on a terminal while it mirrors a recording at its recorded pace."""
    settings = {
        "confdir": str(here),
        "flow_detail": "0",
        "mirror_spec": str(here / "mirror.yaml"),
        "mirror_offline": "true",
        "mirror_listen": "",
        "rfile": str(file),
    }
    command = [str(Path(sys.executable).with_name("mitmdump")), "-n", "-s", str(ADDON)]
    command += [part for item in settings.items() for part in ("--set", "=".join(item))]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=here)
    os.close(theirs)
    said = b""
    try:
        while piece := _read(ours):
            said += piece
        assert process.wait(20) == 0, said.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return said.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other side is closed
        return b""
