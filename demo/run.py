"""`make run`: a mirror in front of the demo's services, or of whatever the user names."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from demo import board
from demo.proxy import ROOT, Proxy, port_near, proxy
from demo.services import PRIMARY_PORT, SHADOW_PORT, service
from demo.traffic import Traffic

START = 30.0  # seconds that the proxy may take to start
SETTLING = 1.0  # seconds after which the page knows of every copy that ended
EVERY = 2.0  # seconds between two lines of progress
SUMMARY = "/api/summary"
SHADOW = "MIRROR_DEMO_SHADOW"  # the variable in config/mirror.yaml
NOISE = ("client connect", "client disconnect", "server connect", "server disconnect", "Loading script")


class FailedError(Exception):
    """Why it can't go on, for the user."""


def main() -> int:
    """Runs until the time is over or Ctrl-C; 0 unless something failed."""
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        if options.spec or options.mode:
            _run_own(options, stop)
        else:
            _run_demo(options, stop)
    except FailedError as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--for", dest="seconds", type=_seconds, help="end after so many seconds")
    parser.add_argument("--spec", type=Path, help="your spec instead of the demo's")
    parser.add_argument("--mode", help="mitmproxy's mode, such as reverse:http://localhost:3000")
    parser.add_argument("--tool", choices=("mitmweb", "mitmdump"), default="mitmweb")
    return parser.parse_args()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number of seconds, such as FOR=10")
    return seconds


def _run_own(options: argparse.Namespace, stop: threading.Event) -> None:
    """The user's spec and servers: starts the proxy, shows its output, sends nothing."""
    spec = (options.spec or ROOT / "config" / "mirror.yaml").resolve()
    settings = {"mirror_spec": str(spec)}
    with contextlib.ExitStack() as stack:
        env = {} if options.spec else stack.enter_context(_shadow())
        running = stack.enter_context(
            proxy(options.tool, options.mode or "regular", settings, env, lambda _: True)
        )
        _wait(lambda: not running.running, stop, options.seconds)
        if not running.running:
            raise FailedError(f"{options.tool} ended with exit status {running.process.returncode}")


def _run_demo(options: argparse.Namespace, stop: threading.Event) -> None:
    """The demo's services, a proxy in front of the primary, and traffic."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(service(port=PRIMARY_PORT, shadow=False))
        env = stack.enter_context(_shadow())
        settings = {
            "confdir": stack.enter_context(tempfile.TemporaryDirectory(prefix="traffic-mirror-")),
            "listen_host": "127.0.0.1",
            "listen_port": str(port_near(8080)),
            "mirror_listen": f"127.0.0.1:{port_near(9464)}",
            **({"web_port": str(port_near(8081))} if options.tool == "mitmweb" else {"flow_detail": "0"}),
        }
        running = stack.enter_context(
            proxy(options.tool, f"reverse:{primary}", settings, env, _worth_showing)
        )
        _started(running, stop, options.tool)
        if stop.is_set():
            return
        _introduce(running, primary, env[SHADOW])
        traffic = Traffic(running.port)
        with traffic.flowing():
            _report(running, traffic, stop, options.seconds)
        _conclude(running)


@contextlib.contextmanager
def _shadow() -> Iterator[dict[str, str]]:
    """The demo's shadow; yields the environment by which its spec finds it."""
    with service(port=SHADOW_PORT, shadow=True) as url:
        yield {SHADOW: url}


def _started(running: Proxy, stop: threading.Event, tool: str) -> None:
    _wait(lambda: not running.running or bool(running.port and running.page), stop, START)
    if not stop.is_set() and not (running.running and running.page):
        raise FailedError(f"{tool} did not start; what it said is above")


def _introduce(running: Proxy, primary: str, shadow: str) -> None:
    front = f"http://127.0.0.1:{running.port}"
    print(f"""
  {primary}   the primary, which clients mean to reach
  {shadow}   its shadow, which gets copies
  {front}   the mirror before the primary; try: curl {front}/items/7
  {running.page}   what was mirrored, and metrics""")
    if running.web:
        print(f"  {running.web}   the same, flow by flow")
    print(f"  {ROOT / 'config' / 'mirror.yaml'}   the spec: change it and see it reload\n", flush=True)


def _report(running: Proxy, traffic: Traffic, stop: threading.Event, seconds: float | None) -> None:
    """A line of progress now and then, until the time is over."""
    began = time.monotonic()
    while not stop.is_set():
        passed = time.monotonic() - began
        left = EVERY if seconds is None else min(EVERY, seconds - passed)
        if left <= 0:
            return
        _wait(lambda: not running.running, stop, left)
        if not running.running:
            raise FailedError("the proxy ended by itself; what it said is above")
        passed = time.monotonic() - began
        print(board.progress(passed, traffic.sent, traffic.failed, running.get(SUMMARY)), flush=True)


def _conclude(running: Proxy) -> None:
    """Waits for the last copies, and shows what became of all."""
    summary = running.get(SUMMARY)
    for _ in range(5):
        time.sleep(SETTLING)
        before, summary = summary, running.get(SUMMARY)
        if summary["in_flight"] == 0 and summary == before:
            break
    _show("what was mirrored", board.table(summary))
    _show("where the shadow's answers differ", board.differences(running.get("/api/differences")))


def _show(heading: str, lines: Iterable[str]) -> None:
    print(f"\n{heading}:", *lines, sep="\n  ", flush=True)


def _wait(condition: Callable[[], bool], stop: threading.Event, seconds: float | None) -> None:
    """Until the condition holds, `stop` is set, or the time is over (None: never)."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while not condition() and not stop.wait(0.05):
        if deadline is not None and time.monotonic() >= deadline:
            return


def _worth_showing(line: str) -> bool:
    return not any(words in line for words in NOISE) and "listening at" not in line


if __name__ == "__main__":
    sys.exit(main())
