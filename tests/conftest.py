"""What every test can ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.certificates import Authority
from tests.programs import require
from tests.worker.driver import WorkerProcess


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        require(*marker.args)


@pytest.fixture
async def eager_tasks() -> AsyncIterator[None]:
    """The test's event loop starts tasks at once, as mitmproxy's does."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(asyncio.eager_task_factory)
    yield
    loop.set_task_factory(before)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that only the test trusts."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    """A worker with no proxy."""
    with WorkerProcess() as running:
        yield running
