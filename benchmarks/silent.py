"""A server that takes connections and bytes and never answers: `python -m benchmarks.silent PORT`."""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def main(port: int) -> None:
    """Listens until it is interrupted."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
