"""Every queue has its bound, every drop its reason, and a breaker that opens closes again."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import processes
from tests.clients import Client, exchange, request
from tests.e2e.stage import Stage, stage
from tests.faults.crowd import visit, visit_until
from tests.faults.record import memory_mib, note, words
from tests.proxies import Proxy, proxy, start
from tests.servers import Behaviour, Gate, RecordingServer, answering, never, refused_port
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  newest: {url: $newest, timeout: 60s, max_in_flight: 1, queue: {copies: 10, when_full: drop_newest}}
  oldest: {url: $oldest, timeout: 60s, max_in_flight: 1, queue: {copies: 10, when_full: drop_oldest}}
  bytes: {url: $bytes, timeout: 60s, max_in_flight: 1, queue: {bytes: 1MiB}}
  breaking:
    url: $breaking
    timeout: 1s
    circuit_breaker: {failures: 0.5, of: 10, within: 10s, open_for: 1s}
  mute: {url: $mute, timeout: 60s, max_in_flight: 1}
apis:
  - name: all
    traffic_mirror:
      - {name: newest, path: /newest/*, destinations: [newest]}
      - {name: oldest, path: /oldest/*, destinations: [oldest]}
      - {name: bytes, path: /bytes/*, destinations: [bytes]}
      - {name: breaking, path: /breaking/*, destinations: [breaking]}
      - {name: mute, path: /mute/*, destinations: [mute]}
"""


@pytest.fixture(scope="module")
def gates() -> dict[str, Gate]:
    return {name: Gate() for name in ("newest", "oldest", "bytes")}


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory, gates: dict[str, Gate]) -> Iterator[Stage]:
    behaviours: dict[str, Behaviour | None] = {**gates, "breaking": answering(), "mute": never}
    with stage(tmp_path_factory.mktemp("bounds"), SPEC, behaviours=behaviours) as running:
        yield running


def load(on: Stage, destination: str) -> dict[str, object]:
    """What a destination has in hand, as the page has it."""
    loads = on.proxy.summary()["destinations"]
    return next(load for load in loads if load["destination"] == destination)


def metric(on: Stage, name: str, **labels: str) -> float:
    """A metric's value."""
    said = "".join(f'{key}="{value}"' for key, value in labels.items())
    line = next(
        line
        for line in on.proxy.get("/metrics").decode().splitlines()
        if line.startswith(f"{name}{{{said}}}")
    )
    return float(line.split()[-1])


def numbers(server: RecordingServer) -> list[int]:
    return [int(got.target.rpartition(b"/")[2]) for got in server.requests]


@pytest.mark.parametrize(("name", "kept"), [("newest", range(11)), ("oldest", [0, *range(20, 30)])])
def test_a_full_queue_drops_the_newest_or_the_oldest(
    on: Stage, gates: dict[str, Gate], name: str, kept: list[int]
) -> None:
    """Of thirty one is under way, ten wait, nineteen are dropped, and nobody waits for that."""
    assert visit(on.proxy.port, f"/{name}", 30, clients=1) == [200] * 30
    wait_until(lambda: on.ended(name, name) == {("dropped", "queue_full"): 19})
    assert load(on, name) | {"queue_bytes": 0} == {
        "destination": name, "in_flight": 1, "queue_copies": 10, "queue_bytes": 0, "breaker": "closed",
    }  # fmt: skip
    assert metric(on, "mirror_queue_copies", destination=name) == 10
    gates[name].open()
    expected = {("dropped", "queue_full"): 19, ("delivered", "2xx"): 11}
    on.wait_until_ended(name, name, expected)
    assert numbers(on.servers[name]) == list(kept)
    note("bound", f"a queue of 10 copies, {name} dropped first", ended=words(expected))


def test_a_queue_is_bounded_by_its_bytes(on: Stage, gates: dict[str, Gate]) -> None:
    body = b"x" * (300 * 1024)
    assert visit(on.proxy.port, "/bytes", 10, body, clients=1) == [200] * 10
    wait_until(lambda: sum(on.ended("bytes", "bytes").values()) == 6)
    assert 900_000 < metric(on, "mirror_queue_bytes", destination="bytes") <= 1024 * 1024
    gates["bytes"].open()
    expected = {("dropped", "queue_full"): 6, ("delivered", "2xx"): 4}
    on.wait_until_ended("bytes", "bytes", expected)
    note("bound", "a queue of 1 MiB, bodies of 300 KiB", ended=words(expected))


def test_a_breaker_opens_probes_and_closes(on: Stage) -> None:
    """Open it drops at once; after its pause one copy is a probe; each change is said once and shown."""
    server = on.servers["breaking"]
    server.behaviour = lambda connection, _: connection.reset()
    visit_until(on.proxy.port, "/breaking", lambda: load(on, "breaking")["breaker"] != "closed")
    assert metric(on, "mirror_breaker_open", destination="breaking") == 1.0
    failed = on.ended("breaking", "breaking")[("failed", "reset")]
    asked = len(server.requests)
    assert visit(on.proxy.port, "/breaking", 200) == [200] * 200
    wait_until(lambda: on.ended("breaking", "breaking").get(("dropped", "breaker_open"), 0) >= 190)
    probes = len(server.requests) - asked
    assert probes <= 10, "the destination is spared: a probe a second, libcurl's own second try included"
    assert failed >= 5

    server.behaviour = answering()
    visit_until(on.proxy.port, "/breaking", lambda: load(on, "breaking")["breaker"] == "closed", 20_000)
    assert metric(on, "mirror_breaker_open", destination="breaking") == 0.0
    said = [line for line in on.proxy.log.splitlines() if "circuit breaker" in line]
    assert len(said) == 2
    assert "destination breaking: circuit breaker open, " in said[0]
    assert "answers again, its circuit breaker is closed" in said[1]
    note("breaker", "a breaker that opens, probes and closes", ended=words(on.ended("breaking", "breaking")))


def test_what_waits_between_proxy_and_worker_is_bounded(on: Stage) -> None:
    """A worker that reads nothing: the proxy holds 64 MiB for it, drops the rest, and says `edge_full`."""
    worker, proxy_pid = on.proxy.worker, on.proxy.process.pid
    body = b"x" * (4 << 20)
    before = memory_mib(proxy_pid)
    os.kill(worker, 19)
    try:
        assert visit(on.proxy.port, "/mute", 30, body) == [200] * 30
        held = memory_mib(proxy_pid) - before
    finally:
        os.kill(worker, 18)
    assert held < 64 + 120  # mitmproxy itself may still have all thirty
    wait_until(lambda: sum(on.ended("mute", "mute").values()) >= 13)
    ended = on.ended("mute", "mute")
    assert 12 <= ended[("dropped", "edge_full")] <= 16
    assert processes.runs(worker)
    note("bound", "120 MiB for a worker that reads nothing", ended=words(ended), memory=(held, 0.0))


def test_slow_clients_of_the_page_hurt_nobody(on: Stage) -> None:
    """Hundreds that never finish their request, or never read: copies go on, and a person gets the page."""
    host, _, port = on.proxy.page.removeprefix("http://").rpartition(":")
    before = len(on.servers["breaking"].requests)
    with ExitStack() as open_ones:
        for number in range(400):
            slow = open_ones.enter_context(socket.create_connection((host, int(port))))
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: " + (b"localhost\r\n\r\n" if number % 2 else b"lo"))
        assert visit(on.proxy.port, "/breaking", 100) == [200] * 100
        wait_until(lambda: len(on.servers["breaking"].requests) >= before + 100)
        assert on.proxy.get("/healthz") == b"ok\n"
        files = len(list(Path(f"/proc/{on.proxy.worker}/fd").iterdir())) if Path("/proc").is_dir() else 0
        assert files < 64 + 200
    note("page", "400 clients that never finish, or never read", clients=100, files=files)


def test_at_the_end_the_sum_is_exact(on: Stage) -> None:
    assert on.proxy.interrupt() == 0
    line = next(line for line in on.proxy.log.splitlines() if " selected = " in line)
    selected, _, parts = line.partition("mirror: ")[2].partition(" selected = ")
    assert int(selected) == sum(int(part.split()[0]) for part in parts.split(" + "))
    assert "in flight" not in line


# --- failed copies, kept and sent again ---

AGAIN = """
version: 1
destinations:
  dead: {{url: "{dead}", timeout: 2s, circuit_breaker: {{of: 1000}}}}
  good: {{url: "{good}"}}
apis:
  - name: all
    traffic_mirror:
      - {{name: both, path: /*, sample_rate: {rate}, destinations: [dead, good]}}
"""


def send_again(directory: Path, spec: Path, failed: Path) -> Proxy:
    """`mitmdump -nr FILE --set mirror_offline=true`, to its end."""
    running = start(directory, spec, options={"mirror_offline": "true"}, arguments=["-n", "-r", str(failed)])
    try:
        assert running.process.wait(30) == 0, running.log
    finally:
        processes.end(running.process)
    return running


def test_copies_that_failed_are_kept_and_sent_again(tmp_path: Path) -> None:
    """To the destination that missed them and to no other, byte for byte, whatever the sampling says."""
    failed, large = tmp_path / "failed.mitm", os.urandom(3 << 20)
    with RecordingServer() as primary, RecordingServer() as good, RecordingServer() as later:
        with refused_port() as port:
            spec = AGAIN.format(dead=f"http://127.0.0.1:{port}", good=good.url, rate=1)
            options = {"mirror_failed": str(failed)}
            with proxy(tmp_path / "live", spec, mode=f"reverse:{primary.url}", options=options) as running:
                for number in range(20):
                    target, body = f"/a/../b?n={number}&x", b"%d" % number
                    data = request(target, method="POST", headers=[("X-A", "1")], body=body)
                    assert exchange(running.port, data).status == 200
                data = request("/large", method="PUT", headers=[("x-a", "2"), ("X-A", "3")], body=large)
                assert exchange(running.port, data).status == 200
                running.settled(42)
                assert running.interrupt() == 0
        assert failed.stat().st_size < 2 * len(large)
        good.forget()
        written = tmp_path / "again.yaml"
        written.write_text(AGAIN.format(dead=later.url, good=good.url, rate=0))
        again = send_again(tmp_path / "again", written, failed)
        assert "21 selected = 21 delivered" in again.log
        originals = {got.target: got for got in primary.requests}
        for copy in later.wait_for(21):
            original = originals.pop(copy.target)
            assert (copy.method, copy.body) == (original.method, original.body)
            assert copy.all("x-a") == original.all("x-a")
        assert not originals
        assert not good.requests
        assert len(primary.requests) == 21
    note("failed", "21 copies kept and sent again", ended="21 delivered, none twice")


def test_the_file_of_failed_copies_has_a_bound_and_is_not_the_one_being_read(tmp_path: Path) -> None:
    """64 MiB, whole flows only; reading and writing the same file would never end, and is refused."""
    failed = tmp_path / "failed.mitm"
    with RecordingServer() as primary, refused_port() as port:
        dead = f"http://127.0.0.1:{port}"
        spec = AGAIN.format(dead=dead, good=dead, rate=1)
        options = {"mirror_failed": str(failed)}
        with proxy(tmp_path / "live", spec, mode=f"reverse:{primary.url}", options=options) as running:
            with Client(running.port) as client:
                for number in range(12):
                    data = request(f"/{number}", method="POST", body=b"x" * (4 << 20))
                    assert client.exchange(data).status == 200
            running.settled(24)
            running.interrupt()
            assert "failed copies were left out in all" in running.log
        assert 40 << 20 < failed.stat().st_size <= 64 << 20
        written = tmp_path / "live" / "mirror.yaml"
        reader = start(
            tmp_path / "loop",
            written,
            options={**options, "mirror_offline": "true"},
            arguments=["-nr", str(failed)],
        )
        try:
            assert reader.process.wait(30) == 1
        finally:
            processes.end(reader.process)
        assert "mirror_failed: found" in reader.log


def test_a_hundred_reloads_under_traffic(tmp_path: Path) -> None:
    """Good ones, bad ones, ever other destinations: no client notices, nothing is lost, nothing piles up."""
    with RecordingServer() as primary, RecordingServer() as good:
        spec = AGAIN.format(dead=good.url, good=good.url, rate=1)
        with proxy(tmp_path, spec, mode=f"reverse:{primary.url}", tool="mitmweb") as running:
            written = tmp_path / "mirror.yaml"
            stop = threading.Event()
            answers: list[int] = []

            def keep_visiting() -> None:
                while not stop.is_set():
                    answers.extend(visit(running.port, "/x", 40))

            visitor = threading.Thread(target=keep_visiting)
            visitor.start()
            try:
                for number in range(100):
                    changed = spec.replace("timeout: 2s", f"timeout: {2 + number % 7}s")
                    bad = number % 3 == 0
                    written.write_text(changed.replace("version: 1", "version: {") if bad else changed)
                    (first, *_) = running.command("mirror.reload")
                    assert first.startswith("refused" if bad else "reloaded")
                    post_reload(running)
            finally:
                stop.set()
                visitor.join()
            assert set(answers) == {200}
            written.write_text(spec + "      - {name: [], path: 1}\n" * 2000)
            problems = running.command("mirror.reload")
            assert len(problems) < 210, "the proxy is at work, and its log no place for thousands of lines"
            assert "more; `python -m traffic_mirror check` tells them all" in problems[-1]
            total = running.settled(2 * len(answers))
            assert total["outcomes"]["delivered"] == 2 * len(answers)
            assert total["worker_restarts"] == 0
            files = Path(f"/proc/{running.worker}/fd")
            wait_until(lambda: not files.is_dir() or len(list(files.iterdir())) < 100)
    note("reload", "100 changes of the spec under traffic", clients=len(answers), exact=True)


def post_reload(running: Proxy) -> None:
    import urllib.request

    asked = urllib.request.Request(
        f"{running.page}/api/control",
        json.dumps({"action": "reload"}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 202
