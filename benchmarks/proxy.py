"""The proxy under measurement: mitmdump, bare or with an addon, and the mirror's worker beside it."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.cores import Cores, move
from benchmarks.processes import (
    ROOT,
    BenchError,
    Program,
    children,
    cpu_seconds,
    memory_mib,
    running,
    wait_for,
)

ADDON = ROOT / "mirror_addon.py"
ADDONS = ROOT / "benchmarks" / "addons"

_LISTENING = re.compile(r"listening at \S*?:(\d+)\b")
_PAGE = re.compile(r"status page and metrics on (http://\S+?)/?\s")


@dataclass(frozen=True, slots=True)
class Setup:
    """How to start a proxy: the addon's file, if any; the mirror's spec, where the addon is the mirror.

    `beside` is an addon that measures from within, `options` are mitmproxy's.
    """

    script: Path | None = None
    spec: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    beside: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    tool: str = "mitmdump"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that runs. `worker` is a process id, `page` the status page; None without a mirror."""

    program: Program
    port: int
    worker: int | None = None
    page: str | None = None

    def summary(self) -> dict[str, Any]:
        """The mirror's own account of its copies."""
        with urllib.request.urlopen(f"{self.page}/api/summary", timeout=10) as answer:
            account: dict[str, Any] = json.load(answer)
        return account

    def settle(self, seconds: float = 12.0) -> dict[str, Any]:
        """The account once no copy is under way. Raises BenchError when that takes longer than `seconds`."""
        last: list[dict[str, Any]] = []

        def settled() -> bool:
            last[:] = [self.summary()]
            return bool(last[0]["in_flight"] == 0)

        wait_for(settled, seconds, "the mirror's copies to end", 0.1)
        return last[0]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a proxy and its worker have used: processor seconds so far, MiB just now."""

    proxy_cpu: float
    worker_cpu: float
    proxy_memory: float
    worker_memory: float


def mirror(spec: str) -> Setup:
    """The mirror with this spec."""
    return Setup(ADDON, spec)


def in_mitmweb(setup: Setup) -> Setup:
    """The same in mitmweb, where copies are shown as flows."""
    return replace(setup, tool="mitmweb")


def with_addon(name: str, env: Mapping[str, str] | None = None) -> Setup:
    """One of the addons in `benchmarks/addons`."""
    return Setup(ADDONS / f"{name}.py", env=env or {})


def mitmdump_command(setup: Setup, origin: int, directory: Path) -> list[str]:
    """The command that starts it in front of the server on port `origin`; writes its spec."""
    command = [
        str(Path(sys.executable).with_name(setup.tool)),
        "--mode",
        f"reverse:http://127.0.0.1:{origin}",
    ]
    command += ["--listen-host", "127.0.0.1", "--listen-port", "0"]
    if setup.tool == "mitmweb":
        command += ["--no-web-open-browser", "--web-port", "0", "--set", "web_password=bench"]
    else:
        command += ["--set", "flow_detail=0"]
    command += ["--set", f"confdir={directory.parent / 'confdir'}"]
    if setup.script is not None:
        command += ["-s", str(setup.script)]
    command += [part for option in setup.options.items() for part in ("--set", "=".join(option))]
    if setup.beside is not None:
        command += ["-s", str(setup.beside)]
    if setup.spec is not None:
        spec = directory / "spec.yaml"
        spec.write_text(setup.spec)
        command += ["--set", f"mirror_spec={spec}", "--set", "mirror_listen=127.0.0.1:0"]
    return command


@contextlib.contextmanager
def started(setup: Setup, origin: int, directory: Path, cores: Cores) -> Iterator[Proxy]:
    """A proxy that listens, with its worker (if it has one) ready and on the others' cores."""
    directory.mkdir(parents=True, exist_ok=True)
    command = mitmdump_command(setup, origin, directory)
    with running(command, directory / "proxy.log", cores.proxy, setup.env) as program:
        port = int(_wait_for_log(program, _LISTENING))
        if setup.spec is None:
            yield Proxy(program, port)
            return
        page = _wait_for_log(program, _PAGE)
        found = children(program.pid)
        if len(found) != 1:
            raise BenchError(f"found {len(found)} children of the proxy, expected its worker alone")
        move(found[0], cores.rest)
        yield Proxy(program, port, found[0], page)


def usage_of(proxy: Proxy) -> Usage:
    """What it uses now."""
    worker = proxy.worker
    return Usage(
        proxy_cpu=cpu_seconds(proxy.program.pid),
        worker_cpu=cpu_seconds(worker) if worker else 0.0,
        proxy_memory=memory_mib(proxy.program.pid),
        worker_memory=memory_mib(worker) if worker else 0.0,
    )


def _wait_for_log(program: Program, pattern: re.Pattern[str], seconds: float = 30.0) -> str:
    def found() -> re.Match[str] | None:
        program.check()
        return pattern.search(program.log)

    match = wait_for(found, seconds, f"{pattern.pattern!r} in the log: {program.log[-300:]}")
    assert match is not None
    return match[1]
