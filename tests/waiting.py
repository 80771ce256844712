"""Waiting for a condition, bounded: what tests use where others sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PAUSE = 0.01


def wait_until[T](
    condition: Callable[[], T], timeout: float = 10.0, message: str | Callable[[], str] = "the condition"
) -> T:
    """What `condition` returned once it was true; fails after `timeout` seconds.

    `message` names what was waited for; a callable is asked only when it is needed, and so can show
    the state of things.
    """
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(_late(timeout, message))
        time.sleep(PAUSE)
    return result


async def wait_until_async[T](
    condition: Callable[[], T], timeout: float = 10.0, message: str | Callable[[], str] = "the condition"
) -> T:
    """As `wait_until`, for a test that shares its event loop with what it waits for."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while not (result := condition()):
        if loop.time() > deadline:
            raise AssertionError(_late(timeout, message))
        await asyncio.sleep(PAUSE)
    return result


def _late(timeout: float, message: str | Callable[[], str]) -> str:
    return f"waited {timeout:g} s for {message if isinstance(message, str) else message()}"
