"""Load from wrk: as many requests as the subject takes, over keep-alive connections."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cores import CoreSet
from benchmarks.processes import BenchError, find_program, running

CONNECTIONS = 32
# What a browser's script sends, about; wrk by itself sends nothing but Host.
HEADERS = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "application/json, text/plain, */*"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Cookie", "session=2f6c1f8e9a7b4d0c; theme=dark"),
    ("X-Request-Id", "7d0e5a52-3f5e-4d7b-9b57-0f3f0c1d2e3f"),
)

_LOOK = 0.25
_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_REQUESTS = re.compile(r"(\d+) requests in ([\d.]+)(us|ms|s|m),")
_PERCENTILE = re.compile(r"^\s+(\d+(?:\.\d+)?)%\s+([\d.]+)(us|ms|s|m)\s*$", re.M)
_SOCKET_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_BAD_STATUS = re.compile(r"Non-2xx or 3xx responses: (\d+)")


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw. `latency` is seconds by percentile; `errors` counts failed requests."""

    requests: int
    seconds: float
    latency: dict[float, float]
    errors: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def run_wrk(
    url: str,
    seconds: float,
    directory: Path,
    cores: CoreSet,
    *,
    body: bytes | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Load:
    """Loads `url` for whole `seconds` with GETs, or POSTs of a JSON `body`; calls `meanwhile` now and then.

    Raises BenchError where wrk fails or nothing was answered.
    """
    program = find_program("wrk")
    if program is None:
        raise BenchError("wrk is not installed")
    command = [
        program,
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "10s",
        "--latency",
    ]
    command += [part for name, value in HEADERS for part in ("-H", f"{name}: {value}")]
    if body is not None:
        command += ["-s", str(_write_script(body, directory))]
    with running([*command, url], directory / "wrk.log", cores) as process:
        for _ in range(int((seconds + 15) / _LOOK)):
            try:
                process.process.wait(_LOOK)
                break
            except subprocess.TimeoutExpired:
                meanwhile()
        load = parse_wrk(process.log)
    if load.requests == 0:
        raise BenchError(f"wrk had no answer: {process.log[-300:]}")
    return load


def parse_wrk(text: str) -> Load:
    """What wrk printed, as values. Raises BenchError for anything else."""
    total = _REQUESTS.search(text)
    if not total:
        raise BenchError(f"wrk said nothing of requests: {text[-300:]}")
    errors = _SOCKET_ERRORS.search(text)
    bad = _BAD_STATUS.search(text)
    return Load(
        requests=int(total[1]),
        seconds=float(total[2]) * _TIME[total[3]],
        latency={float(p): float(value) * _TIME[unit] for p, value, unit in _PERCENTILE.findall(text)},
        errors=sum(map(int, errors.groups() if errors else ())) + int(bad[1] if bad else 0),
    )


def _write_script(body: bytes, directory: Path) -> Path:
    """wrk's script for POSTs; the body stands in a file, which Lua reads as it is."""
    content, script = directory / "body", directory / "post.lua"
    content.write_bytes(body)
    script.write_text(
        f"""wrk.method = "POST"
        wrk.headers["Content-Type"] = "application/json"
        local file = io.open("{content}", "rb")
        wrk.body = file:read("*a")
        file:close()
        """
    )
    return script
