"""The file of failed copies: it reads back whole, its bound holds, and nothing is lost unsaid."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from mitmproxy import http, io

from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.edge.failed import DESTINATION, FailedCopies, Kept


def kept(body: bytes = b"raw\x00\xff", destination: str = "shadow", **changes: object) -> Kept:
    fields: dict[str, object] = {
        "id": "flow-1",
        "method": b"POST",
        "scheme": "https",
        "host": "api.test",
        "port": 8443,
        "authority": b"api.test:8443",
        "target": b"/a/../b?x=1&x=\xff",
        "http_version": "HTTP/2.0",
        "headers": ((b"x-a", b"1"), (b"x-A", b"2")),
        "body": None,
        "time": 1_700_000_000.5,
        "client": "192.0.2.7",
    }
    return Kept(FrozenRequest(**{**fields, **changes}), body, destination)  # type: ignore[arg-type]


def read(file: Path) -> list[http.HTTPFlow]:
    with file.open("rb") as stream:
        flows = list(io.FlowReader(stream).stream())
    return [flow for flow in flows if isinstance(flow, http.HTTPFlow)]


def test_what_failed_is_written_and_what_arrived_is_not(tmp_path: Path) -> None:
    failed = FailedCopies(tmp_path / "failed.mitm")
    for number, outcome in enumerate(["delivered", "failed", "dropped", "skipped"]):
        failed.remember(number, kept(destination=outcome))
        failed.settle(number, outcome)
    failed.remember(9, kept(destination="under way"))
    failed.close()
    flows = read(tmp_path / "failed.mitm")
    assert [flow.metadata[DESTINATION] for flow in flows] == ["failed", "dropped", "under way"]


def test_a_written_request_is_the_one_that_was_sent(tmp_path: Path) -> None:
    failed = FailedCopies(tmp_path / "failed.mitm")
    failed.keep(kept())
    failed.close()
    (flow,) = read(tmp_path / "failed.mitm")
    data = flow.request.data
    assert (data.method, data.scheme, data.host, data.port) == (b"POST", b"https", "api.test", 8443)
    assert (data.path, data.content) == (b"/a/../b?x=1&x=\xff", b"raw\x00\xff")
    assert data.headers.fields == ((b"Host", b"api.test:8443"), (b"x-a", b"1"), (b"x-A", b"2"))
    assert data.timestamp_start == 1_700_000_000.5
    assert flow.client_conn.peername[0] == "192.0.2.7"
    assert not flow.live


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    failed = FailedCopies(tmp_path / "failed.mitm")
    failed.keep(kept())
    failed.close()
    assert (tmp_path / "failed.mitm").stat().st_mode & 0o077 == 0


def test_beyond_its_bound_copies_are_left_out_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "traffic_mirror")
    failed = FailedCopies(tmp_path / "failed.mitm", max_bytes=100_000)
    for _ in range(20):
        failed.keep(kept(body=b"x" * 10_000))
    failed.close()
    written = len(read(tmp_path / "failed.mitm"))
    assert 5 <= written < 10
    assert (tmp_path / "failed.mitm").stat().st_size <= 100_000 + 10_000
    assert f"{20 - written} failed copies were left out" in caplog.text


def test_a_file_that_can_not_be_opened_is_said_and_hurts_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failed = FailedCopies(tmp_path / "no" / "such" / "folder.mitm")
    failed.keep(kept())
    failed.close()
    assert "can't be kept" in caplog.text
