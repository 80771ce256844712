"""Whatever becomes of the worker: clients go on, what was lost is counted, another one takes over."""

from __future__ import annotations

import os
import re
import shutil
import signal
import site
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import processes
from tests.clients import exchange, request
from tests.e2e.stage import Stage, stage
from tests.faults.crowd import visit, visit_until
from tests.faults.record import memory_mib, note
from tests.proxies import ADDON, PAGE, ROOT, Proxy, proxy
from tests.servers import Gate, RecordingServer, free_port, never
from tests.waiting import wait_until

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")

SPEC = """
version: 1
destinations:
  good: {url: $good}
  mute: {url: $mute, timeout: 60s, max_in_flight: 2000, queue: {copies: 2000}}
apis:
  - name: all
    traffic_mirror:
      - {name: good, path: /good/*, destinations: [good]}
      - {name: mute, path: /mute/*, destinations: [mute]}
      - {name: waits, path: /waits/*, async: false, destinations: [mute]}
"""
SERVERS = {"good": None, "mute": never}


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One proxy whose worker dies in every way, one after the other."""
    with stage(tmp_path_factory.mktemp("worker"), SPEC, behaviours=SERVERS) as running:
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Stage]:
    """A proxy whose worker has not died yet: the more often it does, the later it is started again."""
    with stage(tmp_path, SPEC, behaviours=SERVERS) as running:
        yield running


def lost(on: Stage, rule: str = "mute", destination: str = "mute") -> int:
    return on.ended(rule, destination).get(("dropped", "worker_lost"), 0)


def wait_for_another(on: Stage, old: int, timeout: float = 30.0) -> int:
    """The new worker's process id, once its page is there."""
    wait_until(
        lambda: any(pid != old for pid in processes.children(on.proxy.process.pid)),
        timeout,
        lambda: f"another worker than {old}\n{on.proxy.log[-3000:]}",
    )
    new = on.proxy.worker
    use_newest_page(on.proxy)
    return new


def use_newest_page(running: Proxy) -> None:
    """The page of the newest worker is asked from now on; each one has a port of its own here."""
    wait_until(lambda: answers(running), 15, lambda: f"the page:\n{running.log[-2000:]}")


def answers(running: Proxy) -> bool:
    try:
        running.summary()
    except OSError:
        return False
    return True


def kill(on: Stage, worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def write_garbage(on: Stage, worker: int) -> None:
    with Path(f"/proc/{worker}/fd/1").open("wb", buffering=0) as stdout:
        stdout.write(b"\x00\x00\x00\x05\x00\x00\x00\x00hello, world")


def starve(on: Stage, worker: int) -> None:
    """No more memory than it has, and then a request that takes some."""
    import resource

    held = int(re.search(r"VmSize:\s+(\d+)", Path(f"/proc/{worker}/status").read_text())[1])  # type: ignore[index]
    limit = (held + 4096) * 1024
    resource.prlimit(worker, resource.RLIMIT_AS, (limit, limit))
    for _ in range(20):
        answer = exchange(on.proxy.port, request("/good/large", method="POST", body=b"x" * (12 << 20)))
        assert answer.status == 200
        if not processes.runs(worker):
            break


DEATHS = {
    "killed": pytest.param(kill, "is killed (SIGKILL)", id="killed"),
    "garbage": pytest.param(write_garbage, "writes garbage on its stdout", id="writes-garbage", marks=LINUX),
    "starved": pytest.param(starve, "is out of memory", id="out-of-memory", marks=LINUX),
    "stopped": pytest.param(
        lambda _, worker: os.kill(worker, signal.SIGSTOP), "hangs (SIGSTOP)", id="stopped"
    ),
}


@pytest.mark.parametrize(("strike", "what"), DEATHS.values())
def test_another_worker_takes_over(on: Stage, strike, what: str) -> None:  # type: ignore[no-untyped-def]
    """Copies under way are counted as lost, exactly; counts of before stay; the spec is the same."""
    before = lost(on)
    good = on.ended("good", "good").get(("delivered", "2xx"), 0)
    restarts = on.proxy.summary()["worker_restarts"]
    on.servers["mute"].forget()
    assert visit(on.proxy.port, "/mute", 30) == [200] * 30
    on.servers["mute"].wait_for(30)
    worker = on.proxy.worker
    strike(on, worker)
    during = visit(on.proxy.port, "/good", 200)
    assert during == [200] * 200
    wait_for_another(on, worker)
    assert lost(on) == before + 30
    took = visit_until(on.proxy.port, "/good", lambda: delivered(on) > good)
    summary = on.proxy.summary()
    assert summary["worker_restarts"] > restarts
    wait_until(lambda: on.proxy.summary()["in_flight"] == 0)
    note(
        "worker", what, lost=30, clients=len(during), recovered=took, memory=memory_mib(on.proxy.process.pid)
    )


def delivered(on: Stage) -> int:
    return on.ended("good", "good").get(("delivered", "2xx"), 0)


def test_clients_that_wait_for_copies_are_freed_at_once(fresh: Stage) -> None:
    worker = fresh.proxy.worker
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(exchange, fresh.proxy.port, request(f"/waits/{n}")) for n in range(4)]
        fresh.servers["mute"].wait_for(4)
        assert not any(answer.done() for answer in waiting)
        os.kill(worker, signal.SIGKILL)
        assert [answer.result(10).status for answer in waiting] == [200] * 4
    wait_for_another(fresh, worker)
    assert lost(fresh, "waits") == 4


def test_the_next_worker_gets_the_spec_that_is_in_force_by_then(fresh: Stage) -> None:
    """Changed twice since the start, the second time for the worse: the last good one counts."""
    spec, worker = fresh.proxy.confdir.parent / "mirror.yaml", fresh.proxy.worker
    first = spec.read_text()
    spec.write_text(first.replace("good: {url:", "good: {headers: {X-Spec: changed}, url:"))
    wait_until(lambda: fresh.proxy.log.count("mirror: loaded") + fresh.proxy.log.count("reloaded") >= 2)
    spec.write_text("version: {")
    fresh.proxy.wait_for_log("refused")
    os.kill(worker, signal.SIGKILL)
    wait_for_another(fresh, worker)
    visit_until(fresh.proxy.port, "/good", lambda: delivered(fresh))
    assert {copy.header("X-Spec") for copy in fresh.servers["good"].requests} == {b"changed"}
    assert not fresh.proxy.summary()["spec"]["ok"]


def test_killed_again_and_again_under_load_every_copy_is_counted_once(fresh: Stage) -> None:
    """Clients never notice, and at the end the sum is exact: of the page, of the log, of what was sent."""
    stop = threading.Event()
    sent: list[int] = []

    def keep_visiting() -> None:
        while not stop.is_set():
            sent.extend(visit(fresh.proxy.port, "/good", 100))

    visitor = threading.Thread(target=keep_visiting)
    visitor.start()
    try:
        for _ in range(3):
            worker = fresh.proxy.worker
            os.kill(worker, signal.SIGKILL)
            wait_for_another(fresh, worker)
    finally:
        stop.set()
        visitor.join()
    assert set(sent) == {200}
    total = fresh.proxy.settled(len(sent))
    assert sum(total["outcomes"].values()) == len(sent)
    assert fresh.proxy.interrupt() == 0
    assert f"mirror: {len(sent)} selected = " in fresh.proxy.log
    note("worker", "is killed three times under load", clients=len(sent), exact=True)


def test_a_worker_that_can_not_be_started(tmp_path: Path) -> None:
    """Its Python is gone for a while: traffic goes on, copies are counted as lost, and it comes back."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(Path(sys.executable).resolve())
    paths = os.pathsep.join(site.getsitepackages())
    with RecordingServer() as primary, RecordingServer() as good:
        spec = SPEC.replace("$good", good.url).replace("$mute", good.url)
        with proxy(
            tmp_path / "proxy",
            spec,
            mode=f"reverse:{primary.url}",
            prefix=[str(python)],
            env={"PYTHONPATH": paths},
        ) as running:
            on = Stage(running, {"primary": primary, "good": good})
            worker = running.worker
            hidden = python.rename(tmp_path / "hidden")
            os.kill(worker, signal.SIGKILL)
            running.wait_for_log("the worker can't be started")
            assert visit(running.port, "/good", 100) == [200] * 100
            running.wait_for_log("it is started again in 1 s")
            hidden.rename(python)
            wait_for_another(on, worker)
            visit_until(running.port, "/good", lambda: delivered(on))
            ended = on.ended("good", "good")
            assert ended[("dropped", "worker_lost")] >= 100
            running.interrupt()
    note("worker", "can't be started for a while", clients=100, lost=ended[("dropped", "worker_lost")])


def worker_of_a_killed_proxy(directory: Path, *, stop_first: str = "") -> None:
    """Kills a proxy whose worker has a thousand copies under way; the worker has gone soon after."""
    with stage(directory, SPEC, behaviours=SERVERS) as on:
        worker = on.proxy.worker
        assert visit(on.proxy.port, "/mute", 1000) == [200] * 1000
        on.servers["mute"].wait_for(1000, 20)
        if stop_first == "worker":
            os.kill(worker, signal.SIGSTOP)
        elif stop_first == "proxy":  # its end of the pipes stays open, and fills
            os.kill(on.proxy.process.pid, signal.SIGSTOP)
        on.proxy.process.kill()
        on.proxy.process.wait(5)
        wait_until(lambda: not processes.runs(worker), 3, "the worker's end")


def test_a_worker_with_a_thousand_copies_ends_when_its_proxy_is_killed(tmp_path: Path) -> None:
    worker_of_a_killed_proxy(tmp_path)
    note("worker", "loses its proxy (SIGKILL) with 1,000 copies under way", ended="within seconds")


def test_a_worker_ends_when_its_proxy_hung_before_it_was_killed(tmp_path: Path) -> None:
    worker_of_a_killed_proxy(tmp_path, stop_first="proxy")


@LINUX
def test_a_stopped_worker_ends_when_its_proxy_is_killed(tmp_path: Path) -> None:
    worker_of_a_killed_proxy(tmp_path, stop_first="worker")


def test_a_reloaded_script_takes_over_with_a_worker_and_the_page_of_its_own(tmp_path: Path) -> None:
    """mitmproxy reloads a script that changed: the old worker drains, the new one gets the page's port."""
    script = tmp_path / "mirror_addon.py"
    shutil.copy(ADDON, script)
    gate, port = Gate(), free_port()
    with stage(
        tmp_path / "stage",
        SPEC,
        behaviours={"good": None, "mute": gate},
        options={"mirror_listen": f"127.0.0.1:{port}", "mirror_drain": "10s"},
        env={"PYTHONPATH": str(ROOT)},
        addon=script,
    ) as on:
        old = on.proxy.worker
        assert visit(on.proxy.port, "/mute", 20) == [200] * 20
        on.servers["mute"].wait_for(20)
        script.write_text(script.read_text() + "\n")
        wait_until(lambda: len(processes.children(on.proxy.process.pid)) == 2, 15, "a second worker")
        assert visit(on.proxy.port, "/good", 50) == [200] * 50
        gate.open()
        wait_until(lambda: not processes.runs(old), 15, "the old worker's end")
        on.proxy.wait_for_log("20 selected = 20 delivered")
        wait_until(lambda: len(PAGE.findall(on.proxy.log)) == 2, 15, lambda: on.proxy.log)
        assert on.proxy.settled(50)["outcomes"]["delivered"] == 50
        assert on.proxy.interrupt() == 0
    note("worker", "the script is reloaded under traffic", clients=70, exact=True)
