"""A worker as a real process, driven over its pipes as the edge drives it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.certificates import Authority
from tests.waiting import wait_until
from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.spec.model import Api, Destination, Rule, Spec, Tls
from traffic_mirror.wire.codec import Decoder, encode
from traffic_mirror.wire.frames import (
    Ended,
    Ending,
    Judged,
    Mirror,
    Ready,
    Setup,
    SpecState,
    Stop,
    ToEdge,
    ToWorker,
    VerdictCount,
)

STATE = SpecState(file="mirror.yaml", loaded_at=1.0, ok=True)


def trusting(authority: Authority, **more: object) -> Tls:
    """A destination's `tls` that trusts nobody else."""
    return Tls(ca=authority.file.read_bytes(), **more)  # type: ignore[arg-type]


def destination(url: str, name: str = "shadow", **more: object) -> Destination:
    """A destination at `url`, which is `scheme://host:port`."""
    scheme, _, address = url.partition("://")
    host, _, port = address.rpartition(":")
    fields = {"name": name, "url": url, "scheme": scheme, "hostname": host.strip("[]"), "port": int(port)}
    return Destination(**{**fields, **more})  # type: ignore[arg-type]


def spec_of(*destinations: Destination, **rule: object) -> Spec:
    """One API `api` with one rule `rule` for everything, to all `destinations`."""
    fields = {"name": "rule", "path": "/*", "destinations": tuple(range(len(destinations)))}
    only = Rule(**{**fields, **rule})  # type: ignore[arg-type]
    return Spec(destinations=destinations, apis=(Api(name="api", rules=(only,)),))


def request(
    target: bytes = b"/x",
    method: bytes = b"GET",
    headers: Sequence[tuple[bytes, bytes]] = ((b"User-Agent", b"test"),),
    flow: str = "f1",
    **more: object,
) -> FrozenRequest:
    """A request that a client sent to http://api.test/."""
    fields = {
        "id": flow,
        "method": method,
        "scheme": "http",
        "host": "api.test",
        "port": 80,
        "authority": b"api.test",
        "target": target,
        "http_version": "HTTP/1.1",
        "headers": ((b"Host", b"api.test"), *headers),
        "body": None,
        "time": 1_700_000_000.5,
    }
    return FrozenRequest(**{**fields, **more})  # type: ignore[arg-type]


class WorkerProcess:
    """The worker, and everything it said so far. Use it in a `with` statement.

    `prefix` is a command to run it under.
    """

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "traffic_mirror.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.log: list[str] = []
        self._frames: list[tuple[ToEdge, bytes]] = []
        self._next = 1
        self._reading = threading.Event()
        self._reading.set()
        self._readers = [
            threading.Thread(target=self._read_frames, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for reader in self._readers:
            reader.join(5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def send(self, frame: ToWorker, body: bytes = b"") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(encode(frame, body) + body)
        self.process.stdin.flush()

    def set_up(self, spec: Spec, **more: object) -> Ready:
        """Sends the Setup and waits for Ready."""
        self.send(Setup(spec=spec, state=STATE, **more))  # type: ignore[arg-type]
        wait_until(lambda: self.frames(Ready) or self.process.poll() is not None, message=self._said)
        return self.frames(Ready)[0]

    def mirror(self, what: FrozenRequest, body: bytes = b"", destinations: int = 1, **more: object) -> range:
        """Sends a Mirror frame for the first so many destinations; the copies' numbers."""
        numbers = range(self._next, self._next + destinations)
        self._next += destinations
        copies = tuple((number, index) for index, number in enumerate(numbers))
        self.send(
            Mirror(what, 0, 0, copies, has_body=True, **more),  # type: ignore[arg-type]
            body,
        )
        return numbers

    def frames[F: ToEdge](self, kind: type[F]) -> list[F]:
        """The frames of a kind that came so far."""
        return [frame for frame, _ in self._frames if isinstance(frame, kind)]

    def bodies(self, kind: type[ToEdge]) -> list[bytes]:
        """The bodies that came beside the frames of a kind."""
        return [body for frame, body in self._frames if isinstance(frame, kind)]

    @property
    def endings(self) -> dict[int, Ending]:
        """Every copy's end by its number; a number that ended twice is an error."""
        ended: dict[int, Ending] = {}
        for frame in self.frames(Ended):
            for ending in frame.endings:
                assert ending.number not in ended, f"copy {ending.number} ended twice"
                ended[ending.number] = ending
        return ended

    @property
    def verdicts(self) -> list[VerdictCount]:
        return [verdict for frame in self.frames(Judged) for verdict in frame.verdicts]

    def wait_for_endings(self, count: int, timeout: float = 15.0) -> dict[int, Ending]:
        """Every copy's end, once there are `count`."""
        wait_until(lambda: len(self.endings) >= count, timeout, message=self._said)
        ended = self.endings
        assert len(ended) == count
        return ended

    def wait_for_end(self, number: int, timeout: float = 15.0) -> tuple[str, str]:
        """How a copy ended, once it has."""
        wait_until(lambda: number in self.endings, timeout, message=self._said)
        return self.endings[number][1:3]

    def wait_for[F: ToEdge](self, kind: type[F], count: int = 1, timeout: float = 15.0) -> list[F]:
        """The frames of a kind, once there are `count`."""
        wait_until(lambda: len(self.frames(kind)) >= count, timeout, message=self._said)
        return self.frames(kind)

    def stop(self, drain: float = 5.0, timeout: float = 15.0) -> int:
        """Stops the worker as the edge does; its exit status."""
        self.send(Stop(drain))
        return self.end(timeout)

    def stall(self) -> None:
        """Reads no more of what the worker says, until `go_on`."""
        self._reading.clear()

    def go_on(self) -> None:
        self._reading.set()

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self, timeout: float = 15.0) -> int:
        """Waits for the worker's end and for its last words; its exit status."""
        status = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(5)
        return status

    def _said(self) -> str:
        return (
            f"more; the worker said {[str(f)[:300] for f, _ in self._frames][-20:]}, its log {self.log[-20:]}"
        )

    def _read_frames(self) -> None:
        assert self.process.stdout is not None
        decoder = Decoder[ToEdge](ToEdge)
        while data := self.process.stdout.read1(1 << 16):  # type: ignore[attr-defined]
            self._frames += decoder.feed(data)
            self._reading.wait(60)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.decode().rstrip())
