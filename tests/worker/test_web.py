"""What the worker answers to browsers and scrapers, and what it refuses."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs import find
from tests.servers import RecordingServer, refused_port
from tests.waiting import wait_until
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.ledger import Count
from traffic_mirror.wire.frames import Control, Statistics, Tally, VerdictCount

METRICS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
BASE = (
    Count("api", "rule", "shadow", "delivered", "2xx", 10),
    Count("api", "old", "gone", "failed", "dns", 1),
)


def ask(listen: str, path: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, Any, str]:
    """Status, header fields and text of an answer."""
    host, _, port = listen.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=10)
    try:
        connection.request(method, path, body or None, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with RecordingServer() as running:
        yield running


@pytest.fixture
def worker(server: RecordingServer) -> Iterator[WorkerProcess]:
    with WorkerProcess() as running:
        running.set_up(
            spec_of(destination(server.url)),
            listen="127.0.0.1:0",
            base=BASE,
            verdicts=(VerdictCount("api", "rule", "shadow", "match", 4),),
            restarts=2,
        )
        yield running


@pytest.fixture(scope="module")
def lasting() -> Iterator[WorkerProcess]:
    """A worker for the tests that change nothing of it."""
    with WorkerProcess() as running:
        running.set_up(spec_of(), listen="127.0.0.1:0")
        yield running


def listen_of(worker: WorkerProcess) -> str:
    from traffic_mirror.wire.frames import Ready

    return worker.frames(Ready)[0].listen


def test_the_summary_counts_every_worker_and_the_edge(worker: WorkerProcess) -> None:
    worker.send(Tally((Count("api", "rule", "shadow", "skipped", "loop", 3),), paused=True))
    for _ in range(5):
        worker.mirror(request())
    worker.wait_for_endings(5)
    status, headers, text = ask(listen_of(worker), "/api/summary")
    summary = json.loads(text)
    written = json.loads(re.findall(r"```json\n(.*?)```", METRICS.read_text(), re.DOTALL)[0])
    assert list(summary) == list(written), "as docs/metrics.md has it"
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert (summary["selected"], summary["in_flight"], summary["paused"]) == (19, 0, True)
    assert summary["outcomes"] == {"delivered": 15, "failed": 1, "dropped": 0, "skipped": 3, "sampled_out": 0}
    assert summary["verdicts"] == {"match": 4, "differ": 0, "incomparable": 0}
    row = next(row for row in summary["copies"] if row["destination"] == "shadow")
    assert row == {
        "api": "api",
        "rule": "rule",
        "destination": "shadow",
        "selected": 18,
        "outcomes": {"delivered": {"2xx": 15}, "skipped": {"loop": 3}},
        "verdicts": {"match": 4},
    }
    assert summary["destinations"] == [
        {"destination": "shadow", "in_flight": 0, "queue_copies": 0, "queue_bytes": 0, "breaker": "closed"}
    ]
    assert summary["spec"] == {
        "file": "mirror.yaml",
        "loaded_at": "1970-01-01T00:00:01.000Z",
        "ok": True,
        "problems": [],
    }


def test_the_metrics_are_what_a_scraper_reads(worker: WorkerProcess) -> None:
    worker.mirror(request())
    worker.wait_for_endings(1)
    status, headers, text = ask(listen_of(worker), "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    row = 'api="api",destination="shadow",outcome="delivered",reason="2xx",rule="rule"'
    for line in (
        'mirror_selected_total{api="api",destination="shadow",rule="rule"} 11.0',
        f"mirror_copies_total{{{row}}} 11.0",
        'mirror_copy_seconds_count{destination="shadow"} 1.0',
        'mirror_copy_seconds_bucket{destination="shadow",le="+Inf"} 1.0',
        'mirror_verdicts_total{api="api",destination="shadow",rule="rule",verdict="match"} 4.0',
        'mirror_queue_copies{destination="shadow"} 0.0',
        'mirror_queue_bytes{destination="shadow"} 0.0',
        'mirror_in_flight{destination="shadow"} 0.0',
        'mirror_breaker_open{destination="shadow"} 0.0',
        "mirror_spec_reload_success 1.0",
        "mirror_spec_reload_timestamp_seconds 1.0",
        "mirror_worker_restarts_total 2.0",
    ):
        assert line in text.splitlines(), text


@pytest.mark.needs("promtool")
def test_the_metrics_are_clean(worker: WorkerProcess) -> None:
    worker.mirror(request())
    worker.wait_for_endings(1)
    text = ask(listen_of(worker), "/metrics")[2]
    promtool = find("promtool")
    assert promtool is not None
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/api/summary", "/api/differences"])
def test_answers_are_not_kept_nor_framed(lasting: WorkerProcess, path: str) -> None:
    status, headers, _ = ask(listen_of(lasting), path)
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/assets/nothing.js", 404),
        ("/assets/..%2f..%2fweb.py", 404),
        ("/assets/../web.py", 404),
    ],
)
def test_only_the_pages_files_are_served(lasting: WorkerProcess, path: str, status: int) -> None:
    answered, headers, body = ask(listen_of(lasting), path)
    assert (answered, body) == (status, "404 Not Found\n")
    assert "Server" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("[::1]:{port}", 200),
        ("evil.example:{port}", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.1", 403),
        ("", 403),
    ],
)
def test_foreign_host_headers_are_refused(lasting: WorkerProcess, host: str, status: int) -> None:
    listen = listen_of(lasting)
    assert ask(listen, "/api/summary", Host=host.format(port=listen.rpartition(":")[2]))[0] == status


@pytest.mark.parametrize("action", ["pause", "resume", "reload"])
def test_the_switch_reaches_the_edge(worker: WorkerProcess, action: str) -> None:
    body = json.dumps({"action": action})
    status, _, _ = ask(listen_of(worker), "/api/control", "POST", body, Content_Type="application/json")
    assert status == 202
    assert worker.wait_for(Control) == [Control(action)]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ('{"action": "pause"}', "text/plain", 415),
        ("action=pause", "application/x-www-form-urlencoded", 415),
        ('{"action": "exit"}', "application/json", 400),
        ("{", "application/json", 400),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "application/json", 400),
        ("[]", "application/json", 400),
    ],
)
def test_the_switch_takes_nothing_else(lasting: WorkerProcess, body: str, kind: str, status: int) -> None:
    assert ask(listen_of(lasting), "/api/control", "POST", body, Content_Type=kind)[0] == status
    assert not lasting.frames(Control)


def test_a_taken_address_is_a_warning(worker: WorkerProcess, server: RecordingServer) -> None:
    taken = listen_of(worker)
    with WorkerProcess() as second:
        ready = second.set_up(spec_of(destination(server.url)), listen=taken)
        assert ready.listen == ""
        assert len(ready.warnings) == 1
        assert ready.warnings[0].startswith(
            f"no status page and metrics at {taken}: Address already in use; tried again until it is free"
        )
        second.mirror(request())
        assert second.wait_for_endings(1)[1].outcome == "delivered"


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999", "::1:80", "127.0.0.1:x"])
def test_a_bad_address_is_a_warning(listen: str) -> None:
    with WorkerProcess() as worker:
        ready = worker.set_up(spec_of(), listen=listen)
        expected = "expected host:port, as in 127.0.0.1:9464 or [::1]:9464"
        assert ready.warnings == (f"no status page and metrics at {listen}: found {listen!r}, {expected}",)


def test_ipv6_works() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with WorkerProcess() as worker:
        ready = worker.set_up(spec_of(), listen="[::1]:0")
        assert ready.listen.startswith("[::1]:")
        assert ask(ready.listen, "/healthz")[2] == "ok\n"


def test_beyond_loopback_a_token_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRROR_TOKEN", "let-me-in")
    with WorkerProcess() as worker:
        ready = worker.set_up(spec_of(), listen="0.0.0.0:0")
        here = f"127.0.0.1:{ready.listen.rpartition(':')[2]}"
        assert ask(here, "/healthz")[0] == 200
        assert ask(here, "/metrics")[0] == 401
        assert ask(here, "/metrics?token=wrong")[0] == 401
        assert ask(here, "/metrics", Authorization="Bearer let-me-in")[0] == 200
        status, headers, _ = ask(here, "/?token=let-me-in")
        assert status == 200
        assert ask(here, "/api/summary", Cookie=headers["Set-Cookie"].partition(";")[0])[0] == 200
        assert ask(here, "/api/page/rules?token=let-me-in&q=%ff")[0] == 400
        assert any("/?token=MIRROR_TOKEN" in line for line in worker.log)
        assert not any("let-me-in" in line for line in worker.log)


def test_requests_that_are_none_leave_no_lines_in_the_log(worker: WorkerProcess) -> None:
    listen = listen_of(worker)
    host, _, port = listen.rpartition(":")
    for data in (
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\x16\x03\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), 10) as sock:
            sock.sendall(data)
            while sock.recv(4096):
                pass
    assert ask(listen, "/healthz")[2] == "ok\n"
    assert not worker.log


def test_figures_outlive_the_worker(worker: WorkerProcess, server: RecordingServer) -> None:
    for _ in range(7):
        worker.mirror(request())
    worker.wait_for_endings(7)
    worker.stop()
    kept = worker.bodies(Statistics)[-1]
    with WorkerProcess() as second:
        ready = second.set_up(spec_of(destination(server.url)), listen="127.0.0.1:0", statistics=kept)
        text = ask(ready.listen, "/metrics")[2]
        assert 'mirror_copy_seconds_count{destination="shadow"} 7.0' in text


@pytest.mark.parametrize("kept", [b"", b"\xc1", b"\x80", b"\x81\xa7seconds\x01", b"\x92\x01\x02"])
def test_figures_that_make_no_sense_are_left_out(kept: bytes) -> None:
    with WorkerProcess() as worker:
        assert worker.set_up(spec_of(), statistics=kept).pid
        assert worker.stop() == 0


def test_failures_are_listed_the_newest_first() -> None:
    with refused_port() as port, WorkerProcess() as worker:
        ready = worker.set_up(spec_of(destination(f"http://127.0.0.1:{port}")), listen="127.0.0.1:0")
        for flow in ("a", "b"):
            worker.mirror(request(flow=flow))
        worker.wait_for_endings(2)
        failures = json.loads(ask(ready.listen, "/api/failures")[2])
        assert [(f["id"], f["reason"]) for f in failures] == [("b", "connect"), ("a", "connect")]


def test_the_breaker_shows() -> None:
    from traffic_mirror.spec.model import CircuitBreaker

    breaker = CircuitBreaker(of=2, open_for=60.0)
    with refused_port() as port, WorkerProcess() as worker:
        where = destination(f"http://127.0.0.1:{port}", circuit_breaker=breaker)
        ready = worker.set_up(spec_of(where), listen="127.0.0.1:0")
        for number in (1, 2):
            worker.mirror(request())
            worker.wait_for_endings(number)
        summary = json.loads(ask(ready.listen, "/api/summary")[2])
        assert summary["destinations"][0]["breaker"] == "open"
        wait_until(
            lambda: 'mirror_breaker_open{destination="shadow"} 1.0' in ask(ready.listen, "/metrics")[2]
        )
