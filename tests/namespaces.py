"""A network namespace: a machine of its own as to addresses, ports and redirect rules (Linux, root)."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.programs import find

ADDRESS = "10.99.0.1"
NOBODY = "65534"


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace, with `ADDRESS` on its loopback."""

    name: str

    @property
    def prefix(self) -> list[str]:
        """What a command line begins with to run inside, as root."""
        return [_program("ip"), "netns", "exec", self.name]

    @property
    def prefix_as_nobody(self) -> list[str]:
        """The same as a user whose connections a redirect rule takes."""
        return [*self.prefix, _program("setpriv"), f"--reuid={NOBODY}", "--clear-groups"]

    def redirect(self, port: int, *, to: int) -> None:
        """Sends connections to `port` of everyone but root to local port `to`."""
        rule = f"-t nat -A OUTPUT -p tcp --dport {port} -m owner ! --uid-owner 0 -j REDIRECT --to-ports {to}"
        _run(*self.prefix, _program("iptables"), *rule.split())

    def local_ports(self, first: int, last: int) -> None:
        """Leaves connections made inside no other ports than these to come from."""
        where = "/proc/sys/net/ipv4/ip_local_port_range"
        _run(*self.prefix, "sh", "-c", f"echo {first} {last} > {where}")

    def connection(self, port: int, host: str = ADDRESS) -> socket.socket:
        """A connection made inside, to be used from out here."""
        return self._make(lambda: socket.create_connection((host, port)))

    def listener(self, port: int, host: str = ADDRESS) -> socket.socket:
        """A listening socket inside, to be used from out here."""
        return self._make(lambda: socket.create_server((host, port)))

    def deaf_ear(self, port: int, host: str = ADDRESS) -> socket.socket:
        """A UDP socket inside that takes what comes and answers nothing."""

        def bind() -> socket.socket:
            sock = socket.socket(type=socket.SOCK_DGRAM)
            sock.bind((host, port))
            return sock

        return self._make(bind)

    def _make(self, make: Callable[[], socket.socket]) -> socket.socket:
        made: list[socket.socket] = []

        def inside() -> None:
            if sys.platform == "linux":
                with Path("/run/netns", self.name).open() as namespace:
                    os.setns(namespace.fileno(), os.CLONE_NEWNET)  # moves this thread alone
                made.append(make())

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        assert made, f"could not make a socket inside {self.name}"
        return made[0]


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    """Makes one and takes it away again."""
    name = f"mirror-test-{os.getpid()}"
    ip = _program("ip")
    _run(ip, "netns", "add", name)
    try:
        _run(ip, "-n", name, "link", "set", "lo", "up")
        _run(ip, "-n", name, "address", "add", f"{ADDRESS}/32", "dev", "lo")
        yield Namespace(name)
    finally:
        _run(ip, "netns", "delete", name)


def _program(name: str) -> str:
    found = find(name)
    assert found, f"{name} is not installed"
    return found


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
