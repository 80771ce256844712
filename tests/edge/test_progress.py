"""The progress of a recording: counted by its records alone, said in one line."""

from __future__ import annotations

import asyncio
import io as stdlib_io
from pathlib import Path

import pytest
from mitmproxy import io
from mitmproxy.test import tflow

from tests.waiting import wait_until_async
from traffic_mirror.edge.progress import Progress, count_flows, progress_line


@pytest.mark.parametrize(
    ("seen", "total", "rate", "line"),
    [
        pytest.param(
            1203, 12000, 412.4, "mirror: 1,203 of 12,000 flows (10 %), 412/s, 26 s left", id="midway"
        ),
        pytest.param(5, 1000, 0.5, "mirror: 5 of 1,000 flows (0 %), 0.5/s, 33 min 10 s left", id="slow"),
        pytest.param(0, 10, 0.0, "mirror: 0 of 10 flows (0 %), 0.0/s", id="at the start"),
        pytest.param(10, 10, 5.0, "mirror: 10 of 10 flows (100 %), 5.0/s", id="at the end"),
        pytest.param(7, None, 20.0, "mirror: 7 flows, 20/s", id="of nobody knows how many"),
        pytest.param(1, 100_001, 10.0, "mirror: 1 of 100,001 flows (0 %), 10/s, 2 h 46 min left", id="long"),
    ],
)
def test_the_line(seen: int, total: int | None, rate: float, line: str) -> None:
    assert progress_line(seen, total, rate) == line


def write(file: Path, *flows: object) -> Path:
    with file.open("wb") as out:
        writer = io.FlowWriter(out)
        for flow in flows:
            writer.add(flow)  # type: ignore[arg-type]
    return file


def test_http_flows_are_counted_and_others_are_not(tmp_path: Path) -> None:
    large = tflow.tflow(resp=True)
    assert large.response is not None
    large.response.content = b"4:type;3:tcp;" * 100_000
    file = write(
        tmp_path / "flows", tflow.tflow(), tflow.ttcpflow(), large, tflow.tdnsflow(), tflow.twebsocketflow()
    )
    assert count_flows(file) == 3


@pytest.mark.parametrize(
    "content", [b'{"log": {}}', b"nonsense", b"99999999999999:"], ids=["HAR", "text", "no end"]
)
def test_what_is_no_flow_file_has_no_count(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert count_flows(tmp_path / "file") is None


def test_a_missing_file_has_no_count(tmp_path: Path) -> None:
    assert count_flows(tmp_path / "missing") is None


async def test_it_is_shown_until_it_is_cancelled_and_then_wiped(tmp_path: Path) -> None:
    file = write(tmp_path / "flows", *(tflow.tflow() for _ in range(4)))
    out = stdlib_io.StringIO()
    times = iter(range(1000))
    progress = Progress(lambda: 3, out, lambda: float(next(times)))
    task = asyncio.create_task(progress.show(file))
    await wait_until_async(lambda: "mirror: 3 of 4 flows (75 %)" in out.getvalue())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert out.getvalue().endswith("\r\x1b[K")
