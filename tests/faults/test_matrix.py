"""Whatever a destination does: no client waits or fails, each copy is counted, memory stays, it recovers."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.stage import Stage
from tests.faults.crowd import visit, visit_until
from tests.faults.record import memory_mib, note, words
from tests.faults.rude import (
    RudeServer,
    after_the_head,
    at_once,
    endless,
    silence,
    then_reset,
    within_the_body,
)
from tests.proxies import proxy
from tests.servers import (
    Behaviour,
    Connection,
    RecordingServer,
    answering,
    closing,
    dripping,
    free_port,
    never,
    response,
    sending,
    slow,
)
from tests.waiting import wait_until

HEAD = b"HTTP/1.1 200 OK\r\n"
COUNT = 40
SPARE = 96  # MiB above what a process held at first
TIMEOUT = 1.0
MAX_RESPONSE = 1024 * 1024
LARGE = b"x" * (256 * 1024)

Ended = dict[tuple[str, str], int]


@dataclass(frozen=True)
class Fault:
    """One way to misbehave: the server that does, how its copies end, and what mends it."""

    what: str
    reason: tuple[str, str]
    server: Callable[[], RudeServer] = RudeServer
    body: bytes | None = None
    also: tuple[tuple[str, str], ...] = field(default=())


def greeting(what: Callable[..., None]) -> Callable[[], RudeServer]:
    return lambda: RudeServer(what)


def behaving(what: Behaviour) -> Callable[[], RudeServer]:
    return lambda: RudeServer(None, what)


RESET, TIMED_OUT, PROTOCOL, DELIVERED = (
    ("failed", "reset"),
    ("failed", "timeout"),
    ("failed", "protocol"),
    ("delivered", "2xx"),
)
FAULTS = {
    "resets-on-accept": Fault(
        "resets when it has accepted", RESET, greeting(at_once), also=(("failed", "connect"),)
    ),
    "resets-after-the-head": Fault("resets after the request's head", RESET, greeting(after_the_head), LARGE),
    "resets-in-the-request": Fault(
        "resets within the request's body", RESET, greeting(within_the_body), LARGE
    ),
    "resets-in-the-head": Fault(
        "resets within the answer's head", RESET, behaving(then_reset(HEAD + b"A: "))
    ),
    "resets-in-the-body": Fault(
        "resets within the answer's body",
        RESET,
        behaving(then_reset(HEAD + b"Content-Length: 100\r\n\r\nhalf")),
    ),
    "closes": Fault("closes without an answer", RESET, behaving(closing)),
    "never-answers": Fault("accepts, reads and never answers", TIMED_OUT, behaving(never)),
    "never-reads": Fault("accepts and reads nothing", TIMED_OUT, greeting(silence), b"x" * (1 << 20)),
    "a-byte-a-second": Fault("answers a byte a second", TIMED_OUT, behaving(dripping(b"x" * 60, 1.0))),
    "answers-late": Fault("answers after the copy's timeout", TIMED_OUT, behaving(slow(TIMEOUT * 1.5))),
    "garbage": Fault(
        "sends garbage", PROTOCOL, behaving(sending(b"\x00\xff\x13garbage\r\n\r\n", close=True))
    ),
    "endless-body": Fault(
        "sends an endless body", DELIVERED, behaving(endless(HEAD + b"\r\n", b"x" * 65536))
    ),
    "endless-head": Fault(
        "sends an endless head", PROTOCOL, behaving(endless(HEAD, b"A: " + b"x" * 1000 + b"\r\n"))
    ),
    "errors": Fault("answers 500", ("delivered", "5xx"), behaving(answering(500))),
    "closes-unasked": Fault(
        "closes each connection after an answer, unannounced",
        DELIVERED,
        behaving(sending(response(), close=True)),
        also=(RESET,),  # libcurl gives up after five connections that closed as it took them
    ),
}


SPEC = """
version: 1
destinations:
{destinations}
apis:
  - name: faults
    traffic_mirror:
{rules}
"""
DESTINATION = (
    '  {name}: {{url: "{url}", timeout: {timeout}s, max_response: {response},'
    " circuit_breaker: {{of: 1000}}{tls}}}"
)
RULE = "      - {{name: {name}, path: /{name}/*, compare: true, destinations: [{name}]}}"


@dataclass(frozen=True)
class Faults:
    """The proxy, its servers, and what both processes held at first, in MiB."""

    on: Stage
    rude: dict[str, RudeServer]
    authority: Authority
    memory: tuple[float, float]
    ports: dict[str, int]


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    directory = tmp_path_factory.mktemp("faults")
    authority = Authority(directory)
    with ExitStack() as running:
        rude = {name: running.enter_context(fault.server()) for name, fault in FAULTS.items()}
        expired = RudeServer()
        expired._tls = authority.server_context("127.0.0.1", days=(-9, -2))
        rude["closes-idle-connections"] = running.enter_context(RudeServer(None, closing_when_idle))
        rude["expired-certificate"] = running.enter_context(expired)
        ports = {name: free_port() for name in ("refuses", "gone-and-back")}
        urls = {name: server.url for name, server in rude.items()}
        urls |= {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        urls["no-such-name"] = "http://nosuch.invalid"
        primary = running.enter_context(RecordingServer(answering(body=b"from the primary")))
        spec = SPEC.format(
            destinations="\n".join(
                DESTINATION.format(
                    name=name,
                    url=url,
                    timeout=TIMEOUT,
                    response=MAX_RESPONSE,
                    tls=f", tls: {{ca_file: {authority.file}}}" if url.startswith("https") else "",
                )
                for name, url in urls.items()
            ),
            rules="\n".join(RULE.format(name=name) for name in urls),
        )
        started = running.enter_context(proxy(directory / "proxy", spec, mode=f"reverse:{primary.url}"))
        on = Stage(started, {"primary": primary, **rude})
        assert visit(started.port, "/warm", COUNT) == [200] * COUNT
        memory = memory_mib(started.process.pid), memory_mib(started.worker)
        yield Faults(on, rude, authority, memory, ports)


def settle(faults: Faults, name: str, count: int) -> Ended:
    """How the row's copies ended, once all that were selected did; the sum is exact."""

    def row() -> dict[str, object]:
        return next((row for row in faults.on.proxy.summary()["copies"] if row["rule"] == name), {})

    def done() -> bool:
        return row().get("selected", 0) == count == sum(faults.on.ended(name, name).values())

    wait_until(done, 15, lambda: f"{count} copies to end: {row()}\n{faults.on.proxy.log[-2000:]}")
    return faults.on.ended(name, name)


def hold_memory(faults: Faults) -> tuple[float, float]:
    """What both processes hold more than at first, in MiB: within the bound."""
    on, (proxy_before, worker_before) = faults.on, faults.memory
    more = (
        memory_mib(on.proxy.process.pid) - proxy_before,
        memory_mib(on.proxy.worker) - worker_before,
    )
    assert max(more) < SPARE, f"{more} MiB more than at first"
    return more


def strike(faults: Faults, name: str, body: bytes | None = None) -> Ended:
    """Sends the crowd; every client is answered by the primary, every copy ends."""
    assert visit(faults.on.proxy.port, f"/{name}", COUNT, body) == [200] * COUNT
    return settle(faults, name, COUNT)


def recover(faults: Faults, name: str, before: Ended) -> int:
    """How many requests it took until a copy arrived, nothing done but to mend the destination."""
    arrived = before.get(("delivered", "2xx"), 0)
    return visit_until(
        faults.on.proxy.port,
        f"/{name}",
        lambda: faults.on.ended(name, name).get(("delivered", "2xx"), 0) > arrived,
    )


@pytest.mark.parametrize("name", FAULTS)
def test_a_destination_that_misbehaves(faults: Faults, name: str) -> None:
    fault, server = FAULTS[name], faults.rude[name]
    ended = strike(faults, name, fault.body)
    assert set(ended) <= {fault.reason, *fault.also}
    assert fault.reason in ended
    server.greeting, server.behaviour = None, answering()
    took = recover(faults, name, ended)
    more = hold_memory(faults)
    note("destination", fault.what, ended=words(ended), recovered=took, memory=more)


def closing_when_idle(connection: Connection, _: object) -> None:
    connection.socket.settimeout(0.1)  # for the next request: then its thread lets go
    connection.send(response())


def test_a_destination_that_closes_idle_connections(faults: Faults) -> None:
    """Connections that were closed meanwhile cost no copy."""
    name = "closes-idle-connections"
    server = faults.rude[name]
    for turn in range(1, 5):
        assert visit(faults.on.proxy.port, f"/{name}", COUNT // 4) == [200] * (COUNT // 4)
        ended = settle(faults, name, turn * COUNT // 4)
        wait_until(lambda: not server._open, message="the idle connections to be closed")
    assert ended == {DELIVERED: COUNT}
    note("destination", "closes idle connections", ended=words(ended), memory=hold_memory(faults))


def test_nobody_waits_for_a_destination_that_never_answers(faults: Faults) -> None:
    """All clients are answered while all copies are still under way: the copies' ends come after."""
    name = "never-answers"
    server = faults.rude[name]
    server.behaviour = never
    before = sum(faults.on.ended(name, name).values())
    assert visit(faults.on.proxy.port, f"/{name}", 8) == [200] * 8
    wait_until(lambda: len([r for r in server.requests if b"again" not in r.target]) >= COUNT + 8)
    settle(faults, name, before + 8)
    assert faults.on.ended(name, name)[TIMED_OUT] == COUNT + 8


def test_a_destination_that_refuses_until_it_is_there(faults: Faults) -> None:
    name = "refuses"
    ended = strike(faults, name)
    assert ended == {("failed", "connect"): COUNT}
    with RecordingServer(port=faults.ports[name]):
        took = recover(faults, name, ended)
    note("destination", "refuses connections", ended=words(ended), recovered=took, memory=hold_memory(faults))


def test_a_destination_that_goes_and_comes_back(faults: Faults) -> None:
    name, port = "gone-and-back", faults.ports["gone-and-back"]
    with RecordingServer(port=port):
        assert strike(faults, name) == {DELIVERED: COUNT}
    assert visit(faults.on.proxy.port, f"/{name}", COUNT) == [200] * COUNT
    ended = settle(faults, name, 2 * COUNT)
    assert ended[DELIVERED] == COUNT
    assert set(ended) <= {DELIVERED, ("failed", "connect"), RESET}
    with RecordingServer(port=port):
        took = recover(faults, name, ended)
    note(
        "destination",
        "is gone and comes back",
        ended=words(ended),
        recovered=took,
        memory=hold_memory(faults),
    )


def test_a_destination_whose_name_nobody_knows(faults: Faults) -> None:
    ended = strike(faults, "no-such-name")
    assert ended == {("failed", "dns"): COUNT}
    note("destination", "has no DNS name", ended=words(ended), memory=hold_memory(faults))


def test_a_destination_whose_certificate_has_expired(faults: Faults) -> None:
    name = "expired-certificate"
    ended = strike(faults, name)
    assert ended == {("failed", "tls"): COUNT}
    faults.rude[name]._tls = valid(faults.authority)
    took = recover(faults, name, ended)
    note(
        "destination",
        "has an expired certificate",
        ended=words(ended),
        recovered=took,
        memory=hold_memory(faults),
    )


def valid(authority: Authority) -> ssl.SSLContext:
    return authority.server_context("127.0.0.1")


def test_each_failure_was_said_once_and_not_per_copy(faults: Faults) -> None:
    said = [line for line in faults.on.proxy.log.splitlines() if "destination refuses" in line]
    assert 1 <= len(said) <= 3, said


def test_at_the_end_the_sum_is_exact(faults: Faults, tmp_path: Path) -> None:
    summary = faults.on.proxy.summary()
    assert summary["in_flight"] == 0
    assert summary["worker_restarts"] == 0
    assert faults.on.proxy.interrupt() == 0
    line = next(line for line in faults.on.proxy.log.splitlines() if " selected = " in line)
    assert f"mirror: {summary['selected']} selected = " in line
    for outcome, count in summary["outcomes"].items():
        assert f"{count} {outcome}" in line
    assert sum(summary["outcomes"].values()) == summary["selected"]
