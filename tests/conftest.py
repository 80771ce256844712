"""What every test can ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.programs import require


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
