"""A mirror's life: reloaded, paused, asked, looped, interrupted."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes
from tests.clients import Client, exchange, request
from tests.e2e.stage import Stage, stage, tag
from tests.proxies import proxy, start
from tests.servers import RecordingServer, free_port, slow
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  one: {url: $one}
  two: {url: $two}
apis:
  - name: all
    traffic_mirror:
      - {name: any, path: "^/", destinations: [one]}
"""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Stage]:
    """Under mitmweb, which takes commands over HTTP."""
    with stage(tmp_path, SPEC, behaviours={"one": None, "two": None}, tool="mitmweb") as running:
        yield running


class Visitors:
    """Clients that send without a pause; `answers` are the statuses they got."""

    def __init__(self, port: int, count: int = 4) -> None:
        self.answers: list[int] = []
        self.stop = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(port, n)) for n in range(count)]

    @contextlib.contextmanager
    def visiting(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in self._threads:
                thread.join()

    def _visit(self, port: int, number: int) -> None:
        with contextlib.suppress(OSError, AssertionError), Client(port) as client:  # the proxy may end
            for turn in range(100_000):
                if self.stop.is_set():
                    return
                self.answers.append(client.exchange(request(f"/visit/{number}/{turn}")).status)


def test_a_changed_spec_takes_effect_while_traffic_flows(tmp_path: Path) -> None:
    with stage(tmp_path, SPEC, behaviours={"one": None, "two": None}) as on:
        spec = tmp_path / "mirror.yaml"
        before = spec.read_text()
        visitors = Visitors(on.proxy.port)
        with visitors.visiting():
            wait_until(lambda: on.servers["one"].requests, message="copies at the first destination")
            spec.write_text(before.replace("[one]", "[two]"))
            wait_until(lambda: on.servers["two"].requests, message="copies at the second destination")

            spec.write_text(before.replace("[one]", "[nowhere]").replace('"^/"', '"^/("'))
            on.proxy.wait_for_log("refused")
            seen = len(on.servers["two"].requests)
            wait_until(lambda: len(on.servers["two"].requests) > seen + 20, message="the old spec stays")
        problems = on.proxy.summary()["spec"]
        assert problems["ok"] is False
        assert len(problems["problems"]) == 2
        assert set(visitors.answers) == {200}

        spec.write_text(before)
        wait_until(lambda: on.proxy.summary()["spec"]["ok"], message="the good spec")
        word = tag()
        on.send(request(f"/{word}"))
        on.received("one", word)
        total = on.proxy.settled(len(visitors.answers) + 1)
        assert total["outcomes"]["delivered"] == len(visitors.answers) + 1


def test_another_spec_is_taken_while_it_runs_or_refused(web: Stage) -> None:
    other = web.proxy.confdir.parent / "other.yaml"
    other.write_text("apis: [{traffic_mirror: [{path: /*}]}]")
    said = web.proxy.refused("set", f"mirror_spec={other}")
    assert said.startswith(f"{other}:1:26: $.apis[0].traffic_mirror[0].destinations: found nothing")
    assert web.proxy.command("mirror.rules") == ["all / any: any method ^/ → one"]
    assert "reloaded" not in web.proxy.log
    other.write_text(
        "apis: [{name: other, traffic_mirror: [{path: /*, destinations: ['http://127.0.0.1:9']}]}]"
    )
    web.proxy.command("set", f"mirror_spec={other}")
    assert web.proxy.command("mirror.rules") == ["other / /*: any method /* → http://127.0.0.1:9"]


def test_paused_it_copies_nothing_and_says_so(web: Stage) -> None:
    first, second, third = tag(), tag(), tag()
    web.send(request(f"/{first}"))
    web.received("one", first)
    web.proxy.command("mirror.pause")
    web.send(request(f"/{second}"))
    web.wait_until_ended("any", "one", {("delivered", "2xx"): 1, ("skipped", "paused"): 1})
    web.proxy.command("mirror.resume")
    web.send(request(f"/{third}"))
    web.received("one", third)
    assert not [copy for copy in web.servers["one"].requests if second.encode() in copy.target]
    assert len(web.received("primary", second)) == 1


def test_commands_answer_over_mitmweb_s_own_door(web: Stage) -> None:
    word = tag()
    web.send(request(f"/{word}"))
    web.proxy.settled(1)
    wait_until(
        lambda: "1 selected = 1 delivered" in web.proxy.command("mirror.status")[0],
        message=lambda: str(web.proxy.command("mirror.status")),
    )
    assert web.proxy.command("mirror.rules") == ["all / any: any method ^/ → one"]
    explained = web.proxy.command("mirror.explain", "GET", "http://h.test/x")
    assert explained == ["taken by all / any"]
    refused = web.proxy.refused("mirror.explain", "GET", "http://[::1/x")
    assert refused == "found the URL 'http://[::1/x', expected a whole one such as http://api.test/users/42"
    spec = web.proxy.confdir.parent / "mirror.yaml"
    spec.write_text(spec.read_text().replace("name: any", "name: renamed"))
    assert web.proxy.command("mirror.reload") == ["reloaded"]
    assert web.proxy.command("mirror.rules") == ["all / renamed: any method ^/ → one"]


def test_flows_can_be_sent_again_by_command(web: Stage) -> None:
    word = tag()
    web.send(request(f"/{word}", method="POST", body=b"again"))
    web.received("one", word)
    assert web.proxy.command("mirror.send", f"~u {word} & ! ~replayq") == ["1 copy of 1 flow sent"]
    assert [copy.body for copy in web.received("one", word, 2)] == [b"again"] * 2
    assert len(web.received("primary", word)) == 1


def test_a_loop_ends_after_one_copy(tmp_path: Path) -> None:
    """The destination is the proxy itself."""
    word, port = tag(), free_port()
    spec = SPEC.replace("$one", f"http://127.0.0.1:{port}").replace("$two", "http://127.0.0.1:1")
    with RecordingServer() as primary:
        options = {"listen_port": str(port)}
        with proxy(tmp_path, spec, mode=f"reverse:{primary.url}", options=options) as running:
            assert exchange(port, request(f"/{word}")).status == 200
            total = running.settled(2)
            original, copy = primary.wait_for(2)
    assert total["outcomes"] == {
        "delivered": 1, "skipped": 1, "failed": 0, "dropped": 0, "sampled_out": 0,
    }  # fmt: skip
    assert {original.header("X-Traffic-Mirror"), copy.header("X-Traffic-Mirror")} == {None, b"true"}


def test_two_mirrors_that_copy_to_each_other_end_too(tmp_path: Path) -> None:
    word, ports = tag(), (free_port(), free_port())
    with RecordingServer() as primary, contextlib.ExitStack() as running:
        proxies = []
        for number, (mine, other) in enumerate([ports, ports[::-1]]):
            spec = SPEC.replace("$one", f"http://127.0.0.1:{other}").replace("$two", "http://127.0.0.1:1")
            options = {"listen_port": str(mine)}
            made = proxy(tmp_path / str(number), spec, mode=f"reverse:{primary.url}", options=options)
            proxies.append(running.enter_context(made))
        assert exchange(ports[0], request(f"/{word}")).status == 200
        proxies[0].settled(1)
        proxies[1].settled(1)
        assert len(primary.wait_for(2)) == 2


@pytest.mark.parametrize("delay", [pytest.param(0, id="quick"), pytest.param(30, id="never-in-time")])
def test_an_interrupt_under_load_ends_everything_and_counts_exactly(tmp_path: Path, delay: float) -> None:
    drain = 2.0
    with stage(
        tmp_path,
        SPEC.replace("$one}", "$one, timeout: 60s}"),
        behaviours={"one": slow(delay) if delay else None, "two": None},
        options={"mirror_drain": f"{drain:g}s"},
    ) as on:
        worker = on.proxy.worker
        visitors = Visitors(on.proxy.port, count=8)
        with visitors.visiting():
            wait_until(lambda: len(on.primary.requests) > 500, 20, "traffic")
            before = len(on.primary.requests)
            began = time.monotonic()
            status = on.proxy.interrupt()
            took = time.monotonic() - began
        assert status == 0
        assert took < drain + 2
        wait_until(lambda: not processes.runs(worker), 1, "the worker's end")
        selected, ended = last_sum(on.proxy.log)
        assert selected == sum(ended.values())
        assert selected >= before
        assert ended["delivered"] <= len(on.servers["one"].requests)
        assert "in flight" not in ended
        if delay:
            assert ended["dropped"] + ended["failed"] == selected
        else:
            assert ended["delivered"] > 0


def last_sum(log: str) -> tuple[int, dict[str, int]]:
    """The ledger's last line in the log: `12 selected = 10 delivered + 2 failed …`."""
    selected, parts = re.findall(r"mirror: (\d+) selected = (.*)", log)[-1]
    return int(selected), {
        name: int(count) for count, name in re.findall(r"(\d+) ([a-z_ ]+?)(?: \+|$)", parts)
    }


def test_a_worker_ends_when_its_proxy_is_killed(tmp_path: Path) -> None:
    with stage(tmp_path, SPEC, behaviours={"one": None, "two": None}) as on:
        worker = on.proxy.worker
        on.send(request(f"/{tag()}"))
        on.proxy.process.kill()
        wait_until(lambda: not processes.runs(worker), 15, "the worker's end")


@pytest.mark.parametrize(("offline", "copies"), [("false", 0), ("true", 1)])
def test_flows_from_a_file_are_copied_only_when_asked(tmp_path: Path, offline: str, copies: int) -> None:
    saved, word = tmp_path / "flows", tag()
    with stage(
        tmp_path / "live", SPEC, behaviours={"one": None, "two": None}, arguments=["-w", str(saved)]
    ) as on:
        on.send(request(f"/{word}"))
        on.received("one", word)
        spec = tmp_path / "live" / "mirror.yaml"
        on.proxy.interrupt()
        on.servers["one"].forget()
        reader = start(
            tmp_path / "reading", spec, options={"mirror_offline": offline}, arguments=["--rfile", str(saved)]
        )
        try:
            assert reader.process.wait(20) == 0, reader.log
        finally:
            processes.end(reader.process)
        assert last_sum(reader.log)[0] == copies
        assert len(on.servers["one"].requests) == copies
        assert len(on.primary.requests) == 1
