"""Mirroring with what mitmproxy brings along: `replay.client` sends a copy of each request to MIRROR_TO."""

import os

from mitmproxy import ctx, http

HOST, _, PORT = os.environ["MIRROR_TO"].partition(":")


def request(flow: http.HTTPFlow) -> None:
    """Replays a copy."""
    if flow.is_replay:
        return
    copy = flow.copy()
    copy.request.host, copy.request.port = HOST, int(PORT)
    ctx.master.commands.call("replay.client", [copy])
