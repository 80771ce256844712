"""Mirroring as one would write it in a hurry: a task a request, with aiohttp on mitmproxy's own loop."""

import asyncio
import os

import aiohttp  # type: ignore[import-not-found]  # in the peers' environment only
from mitmproxy import http

tasks: set[asyncio.Task[None]] = set()
sessions: list[aiohttp.ClientSession] = []


async def send(method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> None:
    """Sends one copy and reads its answer."""
    if not sessions:
        sessions.append(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)))
    url = f"http://{os.environ['MIRROR_TO']}{path}"
    async with sessions[0].request(method, url, headers=headers, data=body) as answer:
        await answer.read()


def request(flow: http.HTTPFlow) -> None:
    """Starts a copy and waits for nothing."""
    head = [(name, value) for name, value in flow.request.headers.items(multi=True) if name.lower() != "host"]
    task = asyncio.create_task(
        send(flow.request.method, flow.request.path, head, flow.request.content or b"")
    )
    tasks.add(task)
    task.add_done_callback(tasks.discard)
