"""The results file: one JSON line a copy, appended in batches by a thread, never in anyone's way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path

import msgspec

from traffic_mirror.compare import Verdict
from traffic_mirror.compare.groups import moment
from traffic_mirror.copies import trace_id_of
from traffic_mirror.masking import Masker
from traffic_mirror.wire.frames import Unsent
from traffic_mirror.worker.errand import Errand

logger = logging.getLogger(__name__)

_BATCH = 256 * 1024
_PATIENCE = 0.25  # seconds
_MAX_WAITING = 16 * 1024 * 1024
_WARN_EVERY = 10.0


class Line(msgspec.Struct, kw_only=True):
    """One line, as `schemas/result.schema.json` has it; what is absent is null."""

    time: str
    id: str
    api: str
    rule: str
    destination: str
    route: str | None = None
    method: str
    url: str
    copy_url: str | None = None
    trace_id: str | None = None
    outcome: str
    reason: str
    status: int | None = None
    seconds: float | None = None
    queued_seconds: float | None = None
    primary_status: int | None = None
    primary_seconds: float | None = None
    verdict: str | None = None
    verdict_reason: str | None = None
    differences: list[dict[str, object]] = []
    set_aside: list[dict[str, str]] = []


def line_of(errand: Errand, verdict: Verdict | None, masker: Masker) -> Line:
    """The line of a copy that came to the worker."""
    request, route, sent, outcome = errand.case.request, errand.route, errand.sent, errand.outcome
    assert outcome is not None
    primary = errand.case.primary
    method = request.method.decode("latin-1")
    line = Line(
        time=moment(request.time),
        id=request.id,
        api=route.api,
        rule=route.rule,
        destination=route.destination,
        route=masker.text(f"{method} {route.path}") if route.is_template else None,
        method=method,
        url=masker.text(url_of_original(errand)),
        outcome=outcome.outcome,
        reason=outcome.reason,
    )
    if errand.copy is not None:
        line.copy_url = masker.text(errand.copy.shown_url)
        line.trace_id = trace_id_of(errand.copy.headers)
    if errand.began:
        line.queued_seconds = _rounded(errand.began - errand.came)
    if sent is not None:
        line.status = sent.status or None
        line.seconds = _rounded(sent.seconds)
    if primary is not None:
        line.primary_status = primary.status or None
        line.primary_seconds = _rounded(primary.seconds) if primary.status else None
    if verdict is not None:
        _add_verdict(line, verdict, masker)
    return line


def line_of_unsent(unsent: Unsent, masker: Masker) -> Line:
    """The line of a copy that ended at the edge."""
    method = unsent.method.decode("latin-1")
    return Line(
        time=moment(unsent.time),
        id=unsent.id,
        api=unsent.api,
        rule=unsent.rule,
        destination=unsent.destination,
        route=None if unsent.template is None else masker.text(f"{method} {unsent.template}"),
        method=method,
        url=masker.text(url_of(unsent.scheme, unsent.host, unsent.port, unsent.target)),
        outcome=unsent.outcome,
        reason=unsent.reason,
    )


def url_of_original(errand: Errand) -> str:
    """The URL that the client asked for, without what the copy must not carry."""
    request = errand.case.request
    return url_of(request.scheme, request.host, request.port, errand.route.plan.mask(request.target))


def url_of(scheme: str, host: str, port: int, target: bytes) -> str:
    """A request's URL as people write it.

    >>> url_of("https", "::1", 443, b"/a?b")
    'https://[::1]/a?b'
    """
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    if port != {"http": 80, "https": 443}.get(scheme):
        shown = f"{shown}:{port}"
    return f"{scheme}://{shown}{target.decode('latin-1')}"


class Results:
    """Appends lines to a file. What can't be written is lost, counted and said, at most every ten seconds."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop) -> None:
        self._path = Path(path).expanduser()
        self._loop = loop
        self._encode = msgspec.json.Encoder().encode_into
        self._buffer = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[str] | None = None
        self._lost = 0
        self._warned = -_WARN_EVERY

    def add(self, line: Line) -> None:
        """Takes a line; it is in the file within a second."""
        if len(self._buffer) > _MAX_WAITING:
            self._lost += 1
            self._warn("the disk is too slow")
            return
        self._encode(line, self._buffer, -1)
        self._buffer += b"\n"
        if len(self._buffer) >= _BATCH:
            self._flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_PATIENCE, self._flush)

    async def close(self) -> None:
        """Writes what is left."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._flush()
        if self._writing is not None:
            await asyncio.wait([self._writing])
        if self._timer is not None:
            self._timer.cancel()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None or not self._buffer:
            return
        data, self._buffer = self._buffer, bytearray()
        self._writing = self._loop.run_in_executor(None, _append, self._path, data)
        self._writing.add_done_callback(lambda done: self._written(done, data.count(b"\n")))

    def _written(self, done: asyncio.Future[str], lines: int) -> None:
        self._writing = None
        error = done.result()
        if error:
            self._lost += lines
            self._warn(error)
        if self._buffer:
            self._flush()

    def _warn(self, why: str) -> None:
        now = self._loop.time()
        if now - self._warned >= _WARN_EVERY:
            self._warned = now
            logger.warning(
                "results %s: %d lines could not be written so far: %s", self._path, self._lost, why
            )


def _append(path: Path, data: bytes | bytearray) -> str:
    """Appends to the file, all or nothing; the error's text where that fails."""
    try:
        with path.open("ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            try:
                left = memoryview(data)
                while left:
                    left = left[file.write(left) or 0 :]
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(before)
                raise
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _add_verdict(line: Line, verdict: Verdict, masker: Masker) -> None:
    line.verdict = verdict.verdict
    line.verdict_reason = verdict.reason
    line.differences = [
        {
            "place": masker.text(difference.place),
            "kind": difference.kind,
            "primary": masker.at(difference.place, difference.primary),
            "copy": masker.at(difference.place, difference.copy),
        }
        for difference in verdict.differences
    ]
    line.set_aside = [{"place": masker.text(aside.place), "why": aside.why} for aside in verdict.set_aside]


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
