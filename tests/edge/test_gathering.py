"""The gathering: everything put off is done, in order, once, and soon enough."""

from __future__ import annotations

import asyncio
import logging

import pytest

from traffic_mirror.edge.gathering import MAX_BYTES, MAX_NUMBER, Gathering


class Diary:
    """What was done, in order, and when all of it was."""

    def __init__(self) -> None:
        self.entries: list[int | str] = []
        self.finished = asyncio.Event()
        self.gathering = Gathering(asyncio.get_running_loop(), self._all_done)

    def put(self, number: int, size: int = 0) -> None:
        self.gathering.put(lambda: self.entries.append(number), size)

    def put_failing(self) -> None:
        def fail() -> None:
            raise RuntimeError("no good")

        self.gathering.put(fail, 0)

    def _all_done(self) -> None:
        self.entries.append("done")
        self.finished.set()


async def test_work_is_put_off_and_done_in_order() -> None:
    diary = Diary()
    for number in range(5):
        diary.put(number)
    assert diary.entries == []
    await asyncio.wait_for(diary.finished.wait(), 5)
    assert diary.entries == [0, 1, 2, 3, 4, "done"]


async def test_work_that_comes_later_is_done_too() -> None:
    diary = Diary()
    diary.put(1)
    await asyncio.wait_for(diary.finished.wait(), 5)
    diary.finished.clear()
    diary.put(2)
    await asyncio.wait_for(diary.finished.wait(), 5)
    assert diary.entries == [1, "done", 2, "done"]


async def test_what_is_finished_at_once_is_not_done_again() -> None:
    diary = Diary()
    diary.put(1)
    diary.gathering.finish()
    assert diary.entries == [1, "done"]
    diary.gathering.finish()
    assert diary.entries == [1, "done"], "there was nothing to do"
    diary.put(2)
    diary.finished.clear()
    await asyncio.wait_for(diary.finished.wait(), 5)
    assert diary.entries == [1, "done", 2, "done"]


@pytest.mark.parametrize(
    ("number", "size"),
    [
        pytest.param(MAX_NUMBER, 0, id="in number"),
        pytest.param(2, MAX_BYTES // 2 + 1, id="in bytes"),
        pytest.param(1, MAX_BYTES + 1, id="one alone"),
    ],
)
async def test_what_waits_is_bounded(number: int, size: int) -> None:
    diary = Diary()
    for each in range(number - 1):
        diary.put(each, size)
    assert diary.entries == []
    diary.put(number - 1, size)
    assert diary.entries == [*range(number), "done"]


async def test_work_that_fails_is_logged_and_the_rest_done(caplog: pytest.LogCaptureFixture) -> None:
    diary = Diary()
    diary.put(1)
    diary.put_failing()
    diary.put(2)
    with caplog.at_level(logging.ERROR, "traffic_mirror"):
        diary.gathering.finish()
    assert diary.entries == [1, 2, "done"]
    assert "no good" in caplog.text


async def test_work_may_put_off_more() -> None:
    diary = Diary()
    diary.gathering.put(lambda: diary.put(2), 0)
    diary.gathering.finish()
    assert diary.entries == [2, "done"]
