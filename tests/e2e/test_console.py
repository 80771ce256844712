"""The console: copies are there beside their originals, and commands answer."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import exchange, request
from tests.proxies import ADDON
from tests.servers import RecordingServer, answering, free_port
from tests.waiting import wait_until

if sys.platform == "win32":
    pytest.skip("terminals are another matter there", allow_module_level=True)

import fcntl
import pty
import termios

_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()].|[\x00-\x1f]")


class Terminal:
    """mitmproxy on a terminal of 120 by 40; `text` is what it has drawn since it was last forgotten."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        env = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=directory, env=env
        )
        os.close(theirs)
        self._drawn = b""

    def type(self, keys: str) -> None:
        """Presses keys; what was drawn before is forgotten."""
        self._drawn = b""
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str, timeout: float = 15.0) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.text:
            assert time.monotonic() < deadline, f"waited for {text!r}, the terminal shows: {self.text}"
            if select.select([self._ours], [], [], 0.1)[0]:
                self._drawn += os.read(self._ours, 65536)

    @property
    def text(self) -> str:
        return re.sub(r" +", " ", _CONTROL.sub(b" ", self._drawn).decode("utf-8", "replace"))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def servers() -> Iterator[tuple[RecordingServer, RecordingServer]]:
    headers = [("Content-Type", "application/json")]
    with (
        RecordingServer(answering(200, b'{"price": 10}', headers)) as primary,
        RecordingServer(answering(200, b'{"price": 12}', headers)) as shadow,
    ):
        yield primary, shadow


def test_a_copy_is_listed_and_its_diff_is_read(
    tmp_path: Path, servers: tuple[RecordingServer, RecordingServer]
) -> None:
    primary, shadow = servers
    (tmp_path / "mirror.yaml").write_text(
        f"version: 1\ndestinations: {{shadow: {{url: '{shadow.url}'}}}}\n"
        "apis: [{name: a, traffic_mirror: [{path: '/*', destinations: [shadow]}]}]\n"
    )
    port = free_port()
    settings = {
        "confdir": str(tmp_path),
        "mirror_spec": str(tmp_path / "mirror.yaml"),
        "mirror_listen": "127.0.0.1:0",
    }
    command = [str(Path(sys.executable).with_name("mitmproxy")), "-s", str(ADDON)]
    command += ["--mode", f"reverse:{primary.url}@127.0.0.1:{port}"]
    command += [part for item in settings.items() for part in ("--set", "=".join(item))]
    console = Terminal(command, tmp_path)
    try:
        console.wait_for("Flows")
        wait_until(lambda: _answers(port), 15, lambda: f"the proxy: {console.text}")
        shadow.wait_for(1)
        console.wait_for("↺ 🔶")  # replayed, and marked as one that differs
        console.type(":mirror.status\r")
        console.wait_for("1 delivered")
        console.type("q")
        console.type(":mirror.diff @focus\r")
        console.wait_for("body $.price differs")
    finally:
        console.close()


def _answers(port: int) -> bool:
    try:
        return b"200" in exchange(port, request("/items/7")).first_line
    except OSError:
        return False
