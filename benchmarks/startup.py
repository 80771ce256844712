"""Start: how long until a spec of 10,000 rules is compiled, and until a fresh proxy's first copy arrives."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.cores import starting_on
from benchmarks.processes import BenchError, running
from benchmarks.proxy import Setup, mirror, mitmdump_command
from benchmarks.report import Figure, Part, Target
from benchmarks.rounds import differences, interleave, spread_of
from benchmarks.servers import Server, free_ports
from benchmarks.specs import PATH, many_rules, mirror_all
from benchmarks.timing import time_once
from traffic_mirror.rules import compile_rules
from traffic_mirror.spec.reader import parse_spec

GROUP = "Start"
RULES = 10_000

_COMPILES = 3
_PATIENCE = 30.0
_BARE, _MIRROR = "bare", "mirror"


def measure_start(bench: Bench, origin: Server) -> Part:
    """Reading and compiling 10,000 rules; a start's first copy, beside a bare proxy's first answer."""
    figures = _compile_figures(bench)
    samples: dict[str, list[float]] = {_BARE: [], _MIRROR: []}
    for number, name in interleave(list(samples), bench.rounds):
        seconds = _first(bench, origin, f"start-{name}-{number}", mirrored=name == _MIRROR)
        samples[name].append(seconds)
        bench.say(f"  round {number + 1}/{bench.rounds}  {name:<8} {seconds:.2f} s")
    figures += [
        Figure(
            key="start bare",
            group=GROUP,
            name="bare mitmdump, from start to its first answer",
            unit="s",
            spread=spread_of(samples[_BARE]),
        ),
        Figure(
            key="start copy",
            group=GROUP,
            name="the first copy at its destination, above that",
            unit="s",
            spread=spread_of(differences(samples, _MIRROR, _BARE)),
            target=Target("≤", 1.5),
        ),
    ]
    return Part(tuple(figures))


def _compile_figures(bench: Bench) -> list[Figure]:
    document = [("bench.json", many_rules(RULES, 9).encode())]
    with starting_on(bench.cores.proxy):
        spec = parse_spec(document, {})
        read = [time_once(lambda: parse_spec(document, {})) for _ in range(_COMPILES)]
        compiled = [time_once(lambda: compile_rules(spec)) for _ in range(_COMPILES)]
    bench.say(f"  {RULES:,} rules: read in {min(read):.2f} s, compiled in {min(compiled):.2f} s")
    return [
        Figure(
            key="compile",
            group=GROUP,
            name="compile 10,000 rules",
            unit="s",
            spread=spread_of(compiled),
            target=Target("≤", 1.0),
            how="`compile_rules`, from a spec that is read to one that matches",
        ),
        Figure(
            key="read",
            group=GROUP,
            name="read and check the file of 10,000 rules",
            unit="s",
            spread=spread_of(read),
            how="JSON; before compiling, and in a thread on a reload",
        ),
    ]


def _first(bench: Bench, origin: Server, name: str, *, mirrored: bool) -> float:
    """Seconds from a proxy's start to its first answer, or to its first copy's arrival."""
    folder = bench.folder(name)
    (port,) = free_ports(1)
    with _arrivals() as (sink, arrived):
        setup = mirror(mirror_all([sink])) if mirrored else Setup()
        command = mitmdump_command(setup, origin.port, folder)
        command[command.index("--listen-port") + 1] = str(port)
        began = time.perf_counter()
        with running(command, folder / "proxy.log", bench.cores.proxy):
            _ask_until_answered(port)
            answered = time.perf_counter()
            if not mirrored:
                return answered - began
            if not arrived.wait(_PATIENCE):
                raise BenchError(f"no copy arrived within {_PATIENCE:g} s")
            return time.perf_counter() - began


def _ask_until_answered(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", PATH)
            connection.getresponse().read()
            return
        time.sleep(0.005)
    raise BenchError(f"the proxy did not answer within {_PATIENCE:g} s")


@contextlib.contextmanager
def _arrivals() -> Iterator[tuple[int, threading.Event]]:
    """A port, and the event of a first request on it, which is answered."""
    arrived = threading.Event()

    def take() -> None:
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.settimeout(_PATIENCE)
                connection.recv(65536)
                arrived.set()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_PATIENCE)
        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1], arrived
    thread.join(1)
