"""The harness's smaller parts: specs that the mirror takes, texts that are read, processes that end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as harness
from benchmarks.cores import plan_cores, starting_on
from benchmarks.envoy import envoy_config
from benchmarks.processes import BenchError, cpu_seconds, memory_mib, parse_ps_time, running, wait_for
from benchmarks.servers import expired, parse_status, silent, unruly
from benchmarks.specs import many_rules, many_targets, mirror_all, mirror_none
from benchmarks.throughput import json_body
from benchmarks.unruly import WAYS
from traffic_mirror.rules import compile_rules
from traffic_mirror.spec.model import Spec
from traffic_mirror.spec.reader import parse_spec


def read(text: str) -> Spec:
    return parse_spec([("bench.json", text.encode())], {})


@pytest.mark.parametrize(
    ("text", "destinations", "compared"),
    [
        pytest.param(mirror_all([1]), 1, None, id="one"),
        pytest.param(mirror_all([1, 2, 3]), 3, None, id="three"),
        pytest.param(mirror_all([1], compare=True), 1, True, id="compared"),
    ],
)
def test_the_load_is_taken_by_the_last_rule(text: str, destinations: int, compared: bool | None) -> None:
    spec = read(text)
    route = compile_rules(spec).match("GET", "127.0.0.1", b"/items/42?x=1", ())
    assert route is not None
    assert route.rule_index == 4
    assert len(route.rule.destinations) == destinations
    assert route.rule.compare.enabled is compared


def test_no_rule_takes_the_load_where_none_should() -> None:
    assert compile_rules(read(mirror_none([1]))).match("GET", "127.0.0.1", b"/items/42?x=1", ()) is None


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_every_one_of_many_rules_has_a_target_of_its_own(count: int) -> None:
    rules = compile_rules(read(many_rules(count, 9)))
    routes = [rules.match("GET", "any", target.encode(), ()) for target in many_targets(count)]
    assert len({(route.api_index, route.rule_index) for route in routes if route}) == count


def test_nginx_says_how_many_requests_it_has_had() -> None:
    text = "Active connections: 1 \nserver accepts handled requests\n 33 33 1879 \nReading: 0 Writing: 1\n"
    assert parse_status(text) == 1879
    with pytest.raises(ValueError, match="stub_status"):
        parse_status("<html>")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:01:02", 62), ("0:00.25", 0.25), ("2-01:00:00", 176400)],
    ids=["linux", "macos", "days"],
)
def test_times_of_ps_are_read(text: str, seconds: float) -> None:
    assert parse_ps_time(text) == seconds


def test_envoys_configuration_mirrors_only_where_asked() -> None:
    assert "request_mirror_policies" in envoy_config(1, 2, 3)
    assert "request_mirror_policies" not in envoy_config(1, 2, None)


def test_a_process_is_watched_and_ended(tmp_path: Path) -> None:
    with running([sys.executable, "-c", "input()"], tmp_path / "log", frozenset()) as program:
        assert cpu_seconds(os.getpid()) > 0
        assert memory_mib(os.getpid()) > 1
    assert program.process.returncode is not None


def test_a_process_that_ends_by_itself_says_its_last_words(tmp_path: Path) -> None:
    with running(
        [sys.executable, "-c", "raise SystemExit('no port')"], tmp_path / "log", frozenset()
    ) as program:
        program.process.wait(10)
        with pytest.raises(BenchError, match="status 1: no port"):
            program.check()


def test_waiting_has_an_end() -> None:
    with pytest.raises(BenchError, match=r"waited 0\.05 s for rain"):
        wait_for(lambda: False, 0.05, "rain")


def test_a_silent_server_takes_a_request_and_says_nothing(tmp_path: Path) -> None:
    with (
        silent(tmp_path, frozenset()) as server,
        socket.create_connection(("127.0.0.1", server.port), 5) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system pins no process")
def test_an_expired_certificate_is_refused_as_one(tmp_path: Path) -> None:
    with expired(tmp_path, frozenset()) as server:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "expired.pem"))
        with (
            socket.create_connection(("127.0.0.1", server.port), 5) as connection,
            pytest.raises(ssl.SSLCertVerificationError, match="expired"),
        ):
            trusting.wrap_socket(connection, server_hostname="127.0.0.1")


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("resets", b""),
        ("garbles", b"\x00\xff\x13 this is no HTTP\r\n\r\n"),
        ("hangs-up", b"\r\n\r\nok"),
        ("fails", b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
        ("drips", b"\r\n\r\nx"),
        ("floods", b"x" * 100_000),
        ("never-ends", b"x" * 5_000_000),
    ],
)
def test_an_unruly_server_misbehaves_in_its_way(tmp_path: Path, way: str, said: bytes) -> None:
    with unruly(tmp_path, frozenset()) as ports:
        assert list(ports) == list(WAYS)
        assert said in _ask(ports[way], said)


def _ask(port: int, enough: bytes) -> bytes:
    """What a server says to a request, until it hangs up or has said `enough`."""
    said = b""
    with (
        socket.create_connection(("127.0.0.1", port), 5) as connection,
        contextlib.suppress(ConnectionResetError),
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while (piece := connection.recv(1 << 16)) and (not enough or enough not in said + piece):
            said += piece
        said += piece
    return said


def test_what_is_started_begins_on_its_cores() -> None:
    cores = plan_cores()
    show = "import os; print(sorted(os.sched_getaffinity(0)))"
    with starting_on(cores.rest):
        shown = subprocess.run(
            [sys.executable, "-c", show], capture_output=True, text=True, check=True
        ).stdout
    assert not cores.rest or shown.strip() == str(sorted(cores.rest))
    assert not cores.rest & cores.proxy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["thruput"], "found thruput, expected parts of throughput"),
        (["--rounds", "0"], "rounds and seconds are at least 1"),
    ],
    ids=["an unknown part", "no rounds"],
)
def test_a_wrong_word_on_the_command_line_is_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        harness.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.needs("nginx", "wrk")
def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "--quick"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        text=True,
    )
    assert run.stderr is not None
    assert "throughput" in run.stderr.readline()
    # In the background of a shell SIGINT is ignored, here and so by all that is started from here.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    end, status = (signal.SIGTERM, 143) if ignored else (signal.SIGINT, 130)
    run.send_signal(end)
    run.communicate(timeout=30)
    assert run.returncode == status
    listing = subprocess.run(
        ["ps", "-A", "-o", "command="], capture_output=True, text=True, check=True
    ).stdout
    assert str(tmp_path) not in listing
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [64, 1024, 2048, 1024 * 1024])
def test_a_json_body_has_about_the_size_asked_for(size: int) -> None:
    body = json_body(size)
    assert size - 100 <= len(body) <= size + 100
    assert json.loads(body)["next"] is None
