"""A stage: a primary, its destinations, and a proxy between a client and them, all real and on loopback."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from tests.clients import exchange
from tests.http1 import Message
from tests.proxies import ADDON, Proxy, proxy
from tests.servers import Behaviour, RecordingServer
from tests.waiting import wait_until

MARKERS = (
    b"X-Traffic-Mirror",
    b"X-Traffic-Mirror-Source",
    b"X-Traffic-Mirror-Timestamp",
    b"X-Traffic-Mirror-Id",
)
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Stage:
    """Servers by name, `primary` among them, and the proxy in front of the primary."""

    proxy: Proxy
    servers: Mapping[str, RecordingServer]

    @property
    def primary(self) -> RecordingServer:
        return self.servers["primary"]

    def send(self, data: bytes) -> Message:
        """What the client gets for these bytes."""
        return exchange(self.proxy.port, data)

    def received(self, server: str, tag: str, count: int = 1, timeout: float = 10.0) -> list[Message]:
        """The requests whose target holds `tag`, once `server` has got so many of them."""

        def found() -> list[Message]:
            return [got for got in self.servers[server].requests if tag.encode("latin-1") in got.target]

        wait_until(
            lambda: len(found()) >= count,
            timeout,
            lambda: f"{count} × {tag} at {server}, has {[r.first_line for r in found()]}\n{self.proxy.log}",
        )
        return found()

    def ended(self, rule: str, destination: str) -> dict[tuple[str, str], int]:
        """The ledger's row of one rule and destination: how many ended in which outcome and reason."""
        for row in self.proxy.summary()["copies"]:
            if (row["rule"], row["destination"]) == (rule, destination):
                return {
                    (outcome, reason): count
                    for outcome, reasons in row["outcomes"].items()
                    for reason, count in reasons.items()
                    if count
                }
        return {}

    def wait_until_ended(self, rule: str, destination: str, expected: dict[tuple[str, str], int]) -> None:
        """Waits until that row says exactly this."""
        wait_until(
            lambda: self.ended(rule, destination) == expected,
            15,
            lambda: f"{rule} → {destination} to be {expected}: {self.ended(rule, destination)}",
        )


def tag() -> str:
    """A word that no other request has in its path."""
    return f"t{next(_numbers)}x"


def without_markers(request: Message) -> list[tuple[bytes, bytes]]:
    """A copy's headers without what the mirror adds, and without the Host."""
    return [(name, value) for name, value in request.headers if name not in (*MARKERS, b"Host", b"host")]


@contextlib.contextmanager
def stage(
    directory: Path,
    spec: str,
    *,
    behaviours: Mapping[str, Behaviour | None],
    mode: str = "reverse:$primary",
    tool: str = "mitmdump",
    options: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    addon: Path = ADDON,
) -> Iterator[Stage]:
    """Starts a server for each of `behaviours` and for the primary, then the proxy.

    In `spec` and `mode`, `$name` stands for the URL of the server of that name.
    """
    with contextlib.ExitStack() as running:
        servers = {
            name: running.enter_context(RecordingServer(behaviour))
            for name, behaviour in {"primary": None, **behaviours}.items()
        }
        urls = {name: server.url for name, server in servers.items()}
        started = running.enter_context(
            proxy(
                directory,
                Template(spec).substitute(urls),
                mode=Template(mode).substitute(urls),
                tool=tool,
                options=options,
                arguments=arguments,
                env=env,
                prefix=prefix,
                addon=addon,
            )
        )
        yield Stage(started, servers)
