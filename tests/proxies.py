"""Real mitmproxy processes with the mirror loaded: started, watched, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import processes
from tests.servers import free_port
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
ADDON = ROOT / "mirror_addon.py"
PASSWORD = "let-me-in"
XSRF = {"X-XSRFToken": "6d6972726f72", "Cookie": "_mitmproxy_xsrf=6d6972726f72"}  # mitmweb: same in both

LISTENING = re.compile(r"listening at (\S*?):(\d+)\b")
PAGE = re.compile(r"mirror: status page and metrics on (http://\S+?)/?\s")


class Proxy:
    """One running mitmdump or mitmweb. `log` is all it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], logfile: Path, confdir: Path, web_port: int) -> None:
        self.process = process
        self.confdir = confdir
        self.web_port = web_port
        self._logfile = logfile

    @property
    def log(self) -> str:
        return self._logfile.read_text(errors="replace")

    @property
    def port(self) -> int:
        """The port its (first) proxy listens on."""
        found = LISTENING.search(self.log)
        assert found, f"the proxy does not listen:\n{self.log}"
        return int(found[2])

    @property
    def page(self) -> str:
        """The address of the status page, without a slash at the end."""
        found = PAGE.findall(self.log)  # each worker has one, and the newest counts
        assert found, f"the log names no status page:\n{self.log}"
        return str(found[-1])

    @property
    def ca(self) -> Path:
        """The certificate of the authority that it signs with."""
        return self.confdir / "mitmproxy-ca-cert.pem"

    @property
    def worker(self) -> int:
        """The process id of the worker."""
        (pid,) = wait_until(lambda: processes.children(self.process.pid), message="the worker")
        return pid

    def wait_for_log(self, text: str, timeout: float = 10.0) -> None:
        """Waits until it has printed `text`."""
        wait_until(lambda: text in self.log, timeout, lambda: f"{text!r} in the log:\n{self.log}")

    def get(self, path: str) -> bytes:
        """What the status page's server answers."""
        with urllib.request.urlopen(self.page + path, timeout=10) as answer:
            body: bytes = answer.read()
        return body

    def summary(self) -> dict[str, Any]:
        """`/api/summary` as it is now."""
        summary: dict[str, Any] = json.loads(self.get("/api/summary"))
        return summary

    def settled(self, selected: int, timeout: float = 15.0) -> dict[str, Any]:
        """The summary, once so many copies were selected and all of them ended."""
        last: list[dict[str, Any]] = []

        def done() -> bool:
            last[:] = [self.summary()]
            return bool(last[0]["selected"] >= selected and last[0]["in_flight"] == 0)

        wait_until(done, timeout, lambda: f"{selected} copies to end: {last}\n{self.log}")
        assert last[0]["selected"] == selected, last[0]
        return last[0]

    def command(self, name: str, *arguments: str) -> Any:
        """Runs a command through mitmweb's own door and returns its value."""
        reply = self._ask(name, arguments)
        assert "error" not in reply, reply
        return reply.get("value")

    def refused(self, name: str, *arguments: str) -> Any:
        """What mitmweb says against a command."""
        return self._ask(name, arguments)["error"]

    def _ask(self, name: str, arguments: Sequence[str]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web_port}/commands/{name}",
            json.dumps({"arguments": list(arguments)}).encode(),
            {"Authorization": f"Bearer {PASSWORD}", "Content-Type": "application/json", **XSRF},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            reply: dict[str, Any] = json.load(answer)
        return reply

    def interrupt(self, *, grace: float = 15.0) -> int:
        """Ctrl-C; the exit status once it is gone."""
        return processes.end(self.process, grace=grace)


@contextlib.contextmanager
def proxy(
    directory: Path,
    spec: str | Path,
    *,
    mode: str = "regular",
    tool: str = "mitmdump",
    options: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    addon: Path = ADDON,
) -> Iterator[Proxy]:
    """A proxy that listens, with the mirror's worker ready; ended at the end.

    `directory` is where its spec (when given as text), configuration and log go: a directory for each
    proxy. `prefix` is a command to run it under, `addon` the script to load.
    """
    running = start(
        directory,
        spec,
        mode=mode,
        tool=tool,
        options=options,
        arguments=arguments,
        env=env,
        prefix=prefix,
        addon=addon,
    )
    try:
        wait_until(
            lambda: (
                running.process.poll() is not None
                or (LISTENING.search(running.log) and PAGE.search(running.log))
            ),
            30,
            lambda: f"the proxy to listen and its worker to be ready:\n{running.log}",
        )
        assert running.process.poll() is None, f"the proxy ended at once:\n{running.log}"
        yield running
    finally:
        processes.end(running.process, grace=15)


def start(
    directory: Path,
    spec: str | Path,
    *,
    mode: str = "regular",
    tool: str = "mitmdump",
    options: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    addon: Path = ADDON,
) -> Proxy:
    """Starts a proxy and waits for nothing; whoever calls ends it."""
    directory.mkdir(parents=True, exist_ok=True)
    if isinstance(spec, str):
        written = directory / "mirror.yaml"
        written.write_text(spec)
        spec = written
    confdir = directory / "conf"
    web_port = free_port() if tool == "mitmweb" else 0
    settings = {
        "confdir": str(confdir),
        "mirror_spec": str(spec),
        "mirror_listen": "127.0.0.1:0",
        "connection_strategy": "lazy",
        "listen_host": "127.0.0.1",
        "listen_port": "0",
        **({"web_port": str(web_port), "web_password": PASSWORD} if web_port else {}),
        **(options or {}),
    }
    command = [*prefix, str(Path(sys.executable).with_name(tool)), "-s", str(addon), "--mode", mode]
    command += ["--no-web-open-browser"] if web_port else ["--set", "flow_detail=0"]
    command += [part for item in settings.items() for part in ("--set", "=".join(item))]
    logfile = directory / "log"
    with logfile.open("wb") as log:
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        )
    return Proxy(process, logfile, confdir, web_port)
