"""`make run`: what a newcomer sees, and that nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import board
from demo.services import PRIMARY_PORT, SHADOW_PORT, service
from tests import processes
from tests.clients import exchange, request
from tests.servers import RecordingServer, free_port
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent


class Run:
    """`python -m demo.run` with these arguments; `output` is what it has printed so far."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self._file = directory / "output"
        with self._file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo.run", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(directory)},
            )

    @property
    def output(self) -> str:
        return self._file.read_text()

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.output, 30, lambda: f"{text!r} in\n{self.output}")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Run]]:
    """Where a test puts what it has started."""
    running: list[Run] = []
    yield running
    for run in running:
        processes.end(run.process, grace=20)


@pytest.mark.parametrize("tool", ["mitmdump", "mitmweb"])
def test_it_shows_what_was_mirrored_and_ends_by_itself(tmp_path: Path, started: list[Run], tool: str) -> None:
    run = Run(tmp_path, "--for", "3", "--tool", tool)
    started.append(run)
    run.wait_for("copies:")
    proxy = processes.children(run.process.pid)
    descendants = [*proxy, *(pid for each in proxy for pid in processes.children(each))]
    assert len(descendants) == 2, "the proxy and its worker"
    assert run.process.wait(40) == 0, run.output
    for what in ("the primary", "its shadow", "the spec", "what was mirrored:"):
        assert what in run.output
    assert ("flow by flow" in run.output) == (tool == "mitmweb")
    (total,) = re.findall(r"(\d+) delivered \(2xx\)", run.output.split("what was mirrored:")[1])[:1]
    assert int(total) > 0
    assert "GET /items/{id:[0-9]+}  body:$.price (value)" in run.output
    assert "(0 failed)" in run.output, "clients notice nothing"
    wait_until(lambda: not any(map(processes.runs, descendants)), message="the end of its processes")
    assert [path.name for path in tmp_path.iterdir()] == ["output"], "no files stay behind"


def test_ctrl_c_ends_it_in_order(tmp_path: Path, started: list[Run]) -> None:
    run = Run(tmp_path, "--tool", "mitmdump")
    started.append(run)
    run.wait_for("copies:")
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(20) == 0
    assert "what was mirrored" in run.output
    assert "Traceback" not in run.output


def test_ports_that_are_taken_are_left_alone(tmp_path: Path, started: list[Run]) -> None:
    with contextlib.ExitStack() as taken:
        for port in (PRIMARY_PORT, SHADOW_PORT, 8080, 8081, 9464):
            with contextlib.suppress(OSError):  # taken by someone else: as good
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
        run = Run(tmp_path, "--for", "2")
        started.append(run)
        assert run.process.wait(40) == 0, run.output
    assert not re.search(r":(9101|9102|8080|8081|9464)\b", run.output), run.output
    assert "delivered (2xx)" in run.output
    assert "failed (" not in run.output.split("what was mirrored:")[1]


def test_it_runs_on_the_user_s_own(tmp_path: Path, started: list[Run]) -> None:
    with RecordingServer() as primary, RecordingServer() as shadow:
        spec = tmp_path / "my.yaml"
        spec.write_text(
            "version: 1\napis: [{name: mine, traffic_mirror: "
            f'[{{path: /*, destinations: ["{shadow.url}"]}}]}}]\n'
        )
        port = free_port()
        run = Run(
            tmp_path, "--spec", str(spec), "--mode", f"reverse:{primary.url}@{port}", "--tool", "mitmdump"
        )
        started.append(run)
        run.wait_for("status page")
        assert exchange(port, request("/mine")).status == 200
        shadow.wait_for(1)
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(20) == 0
        assert "1 selected = 1 delivered" in run.output


def test_a_spec_with_a_mistake_is_the_user_s_to_see(tmp_path: Path, started: list[Run]) -> None:
    spec = tmp_path / "my.yaml"
    spec.write_text("version: 1\napis: []\nmistake: 1\n")
    run = Run(tmp_path, "--spec", str(spec), "--tool", "mitmdump")
    started.append(run)
    assert run.process.wait(20) == 1
    assert "my.yaml:3:1: $.mistake" in run.output


@pytest.mark.parametrize("seconds", ["abc", "0", "-1", "nan", "inf", ""])
def test_what_is_no_time_is_refused(tmp_path: Path, started: list[Run], seconds: str) -> None:
    run = Run(tmp_path, f"--for={seconds}")
    started.append(run)
    assert run.process.wait(20) == 2
    assert f"found {seconds!r}, expected a number of seconds, such as FOR=10" in run.output


def test_the_shadow_differs_where_it_is_meant_to() -> None:
    ports = free_port(), free_port()
    with service(port=ports[0], shadow=False), service(port=ports[1], shadow=True):
        item = [exchange(port, request("/items/7")).body for port in ports]
        user = [exchange(port, request("/users/7")).body for port in ports]
    assert b'"price": 10' in item[0]
    assert b'"price": 12' in item[1]
    assert user[0].split(b'"generated_at"')[0] == user[1].split(b'"generated_at"')[0]


def test_the_board_lays_out_what_was_mirrored() -> None:
    copies = {
        "api": "shop",
        "rule": "items",
        "destination": "shadow",
        "selected": 12,
        "outcomes": {"delivered": {"2xx": 10}, "failed": {"timeout": 2}, "dropped": {}},
        "verdicts": {"match": 0, "differ": 10},
    }
    assert list(board.table({"copies": [copies]})) == [
        "rule          destination  copies  how they ended                          verdicts",
        "shop / items  shadow       12      10 delivered (2xx), 2 failed (timeout)  10 differ",
    ]
    totals = {
        "selected": 12,
        "outcomes": {"delivered": 10, "failed": 2, "dropped": 0},
        "verdicts": {"differ": 0},
    }
    assert board.progress(4.2, 15, 0, totals) == (
        "   4 s  15 requests (0 failed) → 12 copies: 10 delivered, 2 failed"
    )
