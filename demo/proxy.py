"""The mitmproxy process that mirrors: started, listened to, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = re.compile(r"mirror: status page and metrics on (http://\S+?)/?\s*$")
WEB = re.compile(r"Web server listening at (http://\S+)")
LISTENING = re.compile(r"listening at (?P<host>\S*?):(?P<port>\d+)")
GRACE = 10.0  # seconds that a stop may take: longer than mirror_drain


class Proxy:
    """A running mitmweb or mitmdump, and the addresses it has told so far, empty until then."""

    def __init__(self, process: subprocess.Popen[str], show: Callable[[str], bool]) -> None:
        self.process = process
        self.page = ""
        self.web = ""
        self.port = 0
        self._show = show
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Whether the process is still there."""
        return self.process.poll() is None

    def get(self, path: str) -> Any:
        """What the status page's server says at `/api/…`."""
        with urllib.request.urlopen(self.page + path, timeout=5) as answer:  # noqa: S310 - our page
            return json.load(answer)

    def stop(self) -> int:
        """Ends it as Ctrl-C would, and returns its exit status."""
        if self.running:
            os.kill(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._reader.join()
        return self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := PAGE.search(line):
                self.page = found[1]
            elif found := WEB.search(line):
                self.web = found[1]
            elif (found := LISTENING.search(line)) and not self.port:
                self.port = int(found["port"])
            if self._show(line):
                print(line, end="", flush=True)


@contextlib.contextmanager
def proxy(
    tool: str, mode: str, options: Mapping[str, str], env: Mapping[str, str], show: Callable[[str], bool]
) -> Iterator[Proxy]:
    """Starts `tool` with the mirror loaded.

    `env` is added to our own environment; `show` chooses the lines of its output to pass on.
    """
    command = [str(Path(sys.executable).with_name(tool)), "-s", str(ROOT / "mirror_addon.py"), "--mode", mode]
    command += [part for item in options.items() for part in ("--set", "=".join(item))]
    if tool == "mitmweb":
        command.append("--no-web-open-browser")
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
        start_new_session=True,  # a terminal's Ctrl-C is for us; we end the proxy
    )
    running = Proxy(process, show)
    try:
        yield running
    finally:
        running.stop()


def port_near(wanted: int) -> int:
    """`wanted`, or a free port where it is taken."""
    for port in (wanted, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen: int = sock.getsockname()[1]
            return chosen
    raise OSError("no free port on 127.0.0.1")
