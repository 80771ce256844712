"""A saved capture is mirrored and compared with its recorded answers; opened only, it sends nothing."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http, io
from mitmproxy.test import tflow, tutils

from tests.http1 import Message
from tests.proxies import ADDON, ROOT
from tests.servers import RecordingServer, answering, computing, response

COUNT = 60
JSON = [("Content-Type", "application/json")]


def recorded(number: int, began: float) -> http.HTTPFlow:
    """A flow as a proxy would have saved it: item `number` has a price ten times that."""
    flow = tflow.tflow(
        req=tutils.treq(
            method=b"PUT",
            host="api.test",
            port=80,
            path=b"/items/%d?x=%%2F&x" % number,
            headers=http.Headers(((b"Host", b"api.test"), (b"X-b", b"1"), (b"x-B", b"2"))),
            content=b"body \x00 %d" % number,
        ),
        resp=tutils.tresp(
            headers=http.Headers(((b"Content-Type", b"application/json"),)),
            content=json.dumps({"id": number, "price": number * 10}).encode(),
        ),
    )
    flow.request.timestamp_start = flow.request.timestamp_end = began
    assert flow.response is not None
    flow.response.timestamp_start = flow.response.timestamp_end = began + 0.01
    return flow


def save(file: Path, flows: list[http.HTTPFlow]) -> Path:
    with file.open("wb") as stream:
        writer = io.FlowWriter(stream)
        for flow in flows:
            writer.add(flow)
    return file


def save_har(file: Path, flows: list[http.HTTPFlow]) -> Path:
    """The same as mitmproxy's own HAR."""
    capture = save(file.with_suffix(".mitm"), flows)
    subprocess.run(
        [Path(sys.executable).with_name("mitmdump"), "-nq", "-r", capture, "--set", f"hardump={file}"],
        check=True,
        timeout=60,
    )
    return file


def spec_of(shadow: RecordingServer, more: str = "") -> str:
    return f"""\
version: 1
destinations: {{shadow: {{url: "{shadow.url}"{more}}}}}
apis:
  - name: shop
    traffic_mirror: [{{name: items, path: "/items/{{id}}", compare: true, destinations: [shadow]}}]
"""


def mirror(directory: Path, capture: Path, spec: str, *settings: str) -> list[dict[str, Any]]:
    """Runs mitmdump over `capture` to its end; the lines of its results."""
    ran, lines = run_over(directory, capture, spec, *settings)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return lines


def run_over(
    directory: Path, capture: Path, spec: str, *settings: str
) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    """Runs mitmdump over `capture`, however that ends."""
    (directory / "spec.yaml").write_text(spec)
    results = directory / "results.jsonl"
    options = [
        f"confdir={directory / 'conf'}",
        f"mirror_spec={directory / 'spec.yaml'}",
        "mirror_listen=",
        f"mirror_results={results}",
        *settings,
    ]
    command = [str(Path(sys.executable).with_name("mitmdump")), "-n", "-r", str(capture), "-s", str(ADDON)]
    ran = subprocess.run(
        [*command, *(part for option in options for part in ("--set", option))],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    lines = results.read_text().splitlines() if results.exists() else []
    return ran, [json.loads(line) for line in lines]


def price_up(number: int) -> bytes:
    """The shadow's answer: as recorded, but for item 7, which costs one more."""
    price = number * 10 + (number == 7)
    return response(200, json.dumps({"price": price, "id": number}).encode(), JSON)


def pricing() -> RecordingServer:
    return RecordingServer(
        computing(lambda got: price_up(int(got.target.split(b"?")[0].rsplit(b"/", 1)[1].decode())))
    )


def test_opening_a_capture_sends_nothing(tmp_path: Path) -> None:
    capture = save(tmp_path / "capture.mitm", [recorded(1, time.time() - 1000)])
    with pricing() as shadow:
        assert mirror(tmp_path, capture, spec_of(shadow)) == []
        assert shadow.requests == ()


@pytest.mark.parametrize("form", ["mitm", "har"])
def test_a_capture_is_compared_with_its_recorded_answers(tmp_path: Path, form: str) -> None:
    flows = [recorded(number, time.time() - 86400 + number) for number in range(COUNT)]
    write = save_har if form == "har" else save
    capture = write(tmp_path / f"capture.{form}", flows)
    with pricing() as shadow:
        lines = mirror(tmp_path, capture, spec_of(shadow), "mirror_offline=true")
        got = shadow.wait_for(COUNT)
    assert [line["verdict"] for line in lines].count("match") == COUNT - 1
    (differ,) = [line for line in lines if line["verdict"] == "differ"]
    assert differ["url"].startswith("http://api.test/items/7?")
    assert differ["differences"] == [{"place": "body:$.price", "kind": "value", "primary": 70, "copy": 71}]
    assert differ["primary_status"] == 200
    assert {line["route"] for line in lines} == {"PUT /items/{id}"}
    by_target = {message.target: message for message in got}
    if form == "mitm":  # a HAR keeps neither the raw target nor bytes that are no text
        assert by_target[b"/items/7?x=%2F&x"].body == b"body \x00 7"
        assert [h for h in by_target[b"/items/7?x=%2F&x"].headers if h[0].lower() == b"x-b"] == [
            (b"X-b", b"1"),
            (b"x-B", b"2"),
        ]


def test_the_report_makes_a_regression_test_of_it(tmp_path: Path) -> None:
    flows = [recorded(number, time.time() - 86400 + number) for number in range(COUNT)]
    capture = save(tmp_path / "capture.mitm", flows)
    with pricing() as shadow:
        mirror(tmp_path, capture, spec_of(shadow), "mirror_offline=true")
    report = [sys.executable, "-m", "traffic_mirror", "report", str(tmp_path / "results.jsonl")]
    failed = subprocess.run(report, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert failed.returncode == 1
    assert "body:$.price value (1 of 60" in failed.stdout
    accepted = subprocess.run([*report, "--max-differ", "2%"], timeout=60, cwd=ROOT, check=False)
    assert accepted.returncode == 0


def test_a_small_capture_hears_of_places_that_match_nothing(tmp_path: Path) -> None:
    capture = save(tmp_path / "capture.mitm", [recorded(number, time.time() - 1000) for number in range(3)])
    with pricing() as shadow:
        compare = '{ignore: ["body:$.price", "body:$.prise"]}'
        spec = spec_of(shadow).replace("compare: true", f"compare: {compare}")
        ran, lines = run_over(tmp_path, capture, spec, "mirror_offline=true")
    assert [line["verdict"] for line in lines] == ["match"] * 3
    said = ran.stdout + ran.stderr
    assert "shop / items: `body:$.prise` in its compare: matched nothing in the last 3 comparisons" in said
    assert said.count("matched nothing") == 1


def test_as_fast_as_the_bounds_allow_drops_nothing(tmp_path: Path) -> None:
    flows = [recorded(number, time.time() - 86400) for number in range(400)]
    capture = save(tmp_path / "capture.mitm", flows)
    with pricing() as shadow:
        tight = ", max_in_flight: 2, queue: {copies: 5}"
        lines = mirror(tmp_path, capture, spec_of(shadow, tight), "mirror_offline=true")
        shadow.wait_for(400)
    assert {line["outcome"] for line in lines} == {"delivered"}
    assert len(lines) == 400


def test_large_bodies_go_as_fast_as_the_bounds_in_bytes_allow(tmp_path: Path) -> None:
    """More than may wait for the worker, and five times what the queue may hold."""
    flows = []
    for number in range(12):
        flow = recorded(number, time.time() - 86400)
        flow.request.content = bytes([number]) * (9 << 20)
        flows.append(flow)
    capture = save(tmp_path / "capture.mitm", flows)
    with pricing() as shadow:
        tight = ", max_in_flight: 1, queue: {bytes: 20MiB}"
        lines = mirror(tmp_path, capture, spec_of(shadow, tight), "mirror_offline=true")
        assert {(got.body[0], len(got.body)) for got in shadow.requests} == {(n, 9 << 20) for n in range(12)}
    assert [line["outcome"] for line in lines] == ["delivered"] * 12


@pytest.mark.parametrize(
    ("speed", "seconds"),
    [pytest.param("1", 2.0, id="recorded-pace"), pytest.param("4", 0.5, id="four-times-as-fast")],
)
def test_the_recorded_pace_is_kept(tmp_path: Path, speed: str, seconds: float) -> None:
    start = time.time() - 86400
    capture = save(tmp_path / "capture.mitm", [recorded(number, start + number * 0.5) for number in range(5)])
    arrived: list[float] = []

    def answer(_: Message) -> bytes:
        arrived.append(time.monotonic())
        return response(200)

    with RecordingServer(computing(answer)) as shadow:
        mirror(tmp_path, capture, spec_of(shadow), "mirror_offline=true", f"mirror_speed={speed}")
    assert len(arrived) == 5
    # The mirror gathers frames for some milliseconds, so the first copy may be that much late.
    assert max(arrived) - min(arrived) >= seconds - 0.1, "no copy comes before its time"


def test_a_recorded_request_whose_primary_failed_is_mirrored_and_incomparable(tmp_path: Path) -> None:
    flow = recorded(3, time.time() - 86400)
    flow.response = None
    capture = save(tmp_path / "capture.mitm", [flow])
    with RecordingServer(answering()) as shadow:
        (line,) = mirror(tmp_path, capture, spec_of(shadow), "mirror_offline=true")
    assert (line["outcome"], line["verdict"]) == ("delivered", "incomparable")


def entry(path: str, content: dict[str, Any], **request: Any) -> dict[str, Any]:
    """An entry of a HAR as a browser writes it for HTTP/2."""
    pseudo = {":authority": "api.test", ":method": "GET", ":path": path, ":scheme": "https", "accept": "*/*"}
    return {
        "startedDateTime": "2026-11-20T10:00:00.123Z",
        "time": 12.5,
        "_resourceType": "fetch",
        "request": {
            "method": "GET",
            "url": f"https://api.test{path}",
            "httpVersion": "h2",
            "headers": [{"name": name, "value": value} for name, value in pseudo.items()],
            "bodySize": 0,
            **request,
        },
        "response": {
            "status": 200,
            "statusText": "",
            "httpVersion": "h2",
            "headers": [
                {"name": "content-type", "value": content["mimeType"]},
                {"name": "content-encoding", "value": "br"},
                {"name": "content-length", "value": "9"},
            ],
            "content": content,
            "bodySize": -1,
        },
    }


def browser_har(file: Path, *entries: dict[str, Any]) -> Path:
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return file


PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\x00").decode()


def test_a_browsers_har_is_mirrored_and_a_body_it_left_out_is_no_difference(tmp_path: Path) -> None:
    bodies = {
        b"/items/text": b'{"price": 1}',
        b"/items/png": base64.b64decode(PNG),
        b"/items/left-out": b"{}",
    }
    types = {b"/items/png": "image/png"}
    har = browser_har(
        tmp_path / "browser.har",
        entry("/items/text", {"size": 12, "mimeType": "application/json", "text": '{"price":1}'}),
        entry("/items/png", {"size": 9, "mimeType": "image/png", "text": PNG, "encoding": "base64"}),
        entry("/items/left-out", {"size": 9, "mimeType": "application/json"}),
        entry("/items/empty", {"size": 0, "mimeType": "application/json"}),
    )

    def answer(got: Message) -> bytes:
        kind = types.get(got.target, "application/json")
        return response(200, bodies.get(got.target, b""), [("Content-Type", kind)])

    with RecordingServer(computing(answer)) as shadow:
        lines = mirror(tmp_path, har, spec_of(shadow), "mirror_offline=true")
        got = shadow.wait_for(4)
    verdicts = {line["url"].rpartition("/")[2]: (line["verdict"], line["verdict_reason"]) for line in lines}
    assert verdicts == {
        "text": ("match", None),
        "png": ("match", None),
        "left-out": ("incomparable", "unavailable"),
        "empty": ("match", None),
    }
    assert not [name for message in got for name, _ in message.headers if name.startswith(b":")]


def test_a_har_without_bodies_still_tells_another_status(tmp_path: Path) -> None:
    har = browser_har(tmp_path / "x.har", entry("/items/1", {"size": 9, "mimeType": "text/plain"}))
    with RecordingServer(answering(404, b"gone", [("Content-Type", "text/plain")])) as shadow:
        (line,) = mirror(tmp_path, har, spec_of(shadow), "mirror_offline=true")
    assert [(d["place"], d["primary"], d["copy"]) for d in line["differences"]] == [("status", 200, 404)]


@pytest.mark.parametrize("form", ["mitm", "har"])
def test_a_recording_that_cannot_be_read_to_its_end_is_an_error(tmp_path: Path, form: str) -> None:
    """Else a test that runs over a part of it would pass for all of it."""
    if form == "har":
        text = {"size": 2, "mimeType": "application/json", "text": "{}"}
        odd = entry("/items/2", text, url="data:image/png;base64,AAAA")
        capture = browser_har(tmp_path / "x.har", entry("/items/1", text), odd, entry("/items/3", text))
    else:
        flows = [recorded(number, time.time() - 86400) for number in (1, 2)]
        capture = save(tmp_path / "x.mitm", flows)
        capture.write_bytes(capture.read_bytes()[:-100])
    with RecordingServer(answering()) as shadow:
        ran, lines = run_over(tmp_path, capture, spec_of(shadow), "mirror_offline=true")
        shadow.wait_for(1)
    assert ran.returncode == 1
    said = ran.stdout + ran.stderr
    assert "the recording can't be read past its first 1 flows; the rest is not mirrored" in said
    assert [line["outcome"] for line in lines] == ["delivered"]
