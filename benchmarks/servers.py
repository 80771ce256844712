"""Servers on loopback: nginx that answers at once, one that never answers, and others that misbehave."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cores import CoreSet
from benchmarks.processes import BenchError, Program, find_program, running, wait_for
from benchmarks.unruly import WAYS

SMALL = b"ok"

LEAST = 19
"""The niceness of what gives way to all other processes."""

_REQUESTS = re.compile(r"\n\s*(\d+)\s+(\d+)\s+(\d+)\s")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, and its ports: `count` separate ones, all answering alike."""

    program: Program
    ports: tuple[int, ...]

    @property
    def port(self) -> int:
        """The first port."""
        return self.ports[0]


def free_ports(count: int) -> tuple[int, ...]:
    """Ports nobody has just now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = tuple(each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return ports


@contextlib.contextmanager
def nginx(
    directory: Path, cores: CoreSet, *, body: bytes = SMALL, kind: str = "text/plain", ports: int = 1
) -> Iterator[Server]:
    """nginx with one worker that answers every request with `body`, and `/bench-status` with its counters."""
    chosen = free_ports(ports)
    listens = "\n".join(f"listen 127.0.0.1:{port} backlog=1024;" for port in chosen)
    answer = body.decode("ascii")
    if "'" in answer or "$" in answer:
        raise ValueError(
            "found a quote or a dollar in the body, expected neither: nginx gives them a meaning"
        )
    with nginx_with(
        directory,
        cores,
        f"""server {{
            {listens}
            client_max_body_size 0;
            location = /bench-status {{ stub_status; }}
            location / {{ default_type {kind}; return 200 '{answer}'; }}
        }}""",
        chosen,
    ) as server:
        yield server


@contextlib.contextmanager
def nginx_with(directory: Path, cores: CoreSet, http: str, ports: tuple[int, ...]) -> Iterator[Server]:
    """nginx with one worker and this content of its `http` block."""
    program = find_program("nginx")
    if program is None:
        raise BenchError("nginx is not installed")
    directory.mkdir(parents=True, exist_ok=True)
    temporary = "\n".join(
        f"{name}_temp_path {directory}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = directory / "nginx.conf"
    config.write_text(
        f"""daemon off; master_process off; worker_processes 1; pid {directory}/pid;
        error_log {directory}/error.log crit;
        events {{ worker_connections 4096; }}
        http {{
            access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
            tcp_nodelay on; {temporary}
            {http}
        }}
        """
    )
    command = [program, "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(config)]
    with running(command, directory / "log", cores) as process:
        for port in ports:
            wait_until_listens(process, port)
        yield Server(process, ports)


@contextlib.contextmanager
def silent(directory: Path, cores: CoreSet) -> Iterator[Server]:
    """A server that accepts connections, reads all that comes, and never answers."""
    directory.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.silent", str(port)]
    with running(command, directory / "silent.log", cores) as process:
        wait_until_listens(process, port)
        yield Server(process, (port,))


@contextlib.contextmanager
def unruly(directory: Path, cores: CoreSet, *, niceness: int = 0) -> Iterator[dict[str, int]]:
    """Servers that misbehave, each in one way: the port of each."""
    directory.mkdir(parents=True, exist_ok=True)
    ports = free_ports(len(WAYS))
    command = [sys.executable, "-m", "benchmarks.unruly", *map(str, ports)]
    with running(command, directory / "unruly.log", cores) as process:
        os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
        wait_until_listens(process, ports[-1])
        yield dict(zip(WAYS, ports, strict=True))


@contextlib.contextmanager
def expired(directory: Path, cores: CoreSet) -> Iterator[Server]:
    """A TLS server whose certificate has expired."""
    directory.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.expired", str(port), str(directory)]
    with running(command, directory / "expired.log", cores) as process:
        wait_until_listens(process, port)
        yield Server(process, (port,))


def wait_until_listens(process: Program, port: int, seconds: float = 20.0) -> None:
    """Waits until a connection to `port` is taken. Raises BenchError where it is not."""

    def listens() -> bool:
        process.check()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    wait_for(listens, seconds, f"port {port} to listen: {process.log[-300:]}")


def requests_of(server: Server) -> int:
    """How many requests an nginx has had, this question included."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/bench-status", timeout=10) as answer:
        return parse_status(answer.read().decode())


def parse_status(text: str) -> int:
    """The requests in what nginx's stub_status says."""
    found = _REQUESTS.search(text)
    if not found:
        raise ValueError(f"found {text!r}, expected what nginx's stub_status says")
    return int(found[3])
