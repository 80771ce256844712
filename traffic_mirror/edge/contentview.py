"""The content view "Mirror diff": on a flow or one of its copies, how the two sides differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mitmproxy import contentviews, http
from mitmproxy.flow import Flow

from traffic_mirror.edge.diff import answer_lines, request_lines
from traffic_mirror.edge.shown import COPIES, OF

NAME = "Mirror diff"
MAX_COPIES = 8

FindFlow = Callable[[str], Flow | None]


class MirrorDiff(contentviews.Contentview):
    """Shows on an answer how it differs from the other side's, on a request what was changed for the copy."""

    def __init__(self, find: FindFlow) -> None:
        self._find = find

    @property
    def name(self) -> str:
        """What it is chosen by."""
        return NAME

    @property
    def syntax_highlight(self) -> contentviews.SyntaxHighlight:
        """Lines of a diff look as they are."""
        return "none"

    def prettify(self, data: bytes, metadata: contentviews.Metadata) -> str:  # noqa: ARG002 - mitmproxy's
        """The differences as text."""
        flow = metadata.flow
        if not isinstance(flow, http.HTTPFlow):
            return "The mirror copies HTTP only."
        return diff_text(flow, self._find, requests=isinstance(metadata.http_message, http.Request))

    def render_priority(self, data: bytes, metadata: contentviews.Metadata) -> float:  # noqa: ARG002
        """Never chosen by itself."""
        return -1


def diff_text(flow: http.HTTPFlow, find: FindFlow, *, requests: bool = False) -> str:
    """How a flow and its copies, or a copy and its original, differ; `requests` compares those."""
    compare = request_lines if requests else answer_lines
    pairs = list(_pairs(flow, find))
    if not pairs:
        return "No copy of this flow is shown: none was made, or it is no longer among the newest."
    blocks = ["\n".join(compare(original, copy)) for original, copy in pairs[:MAX_COPIES]]
    if len(pairs) > MAX_COPIES:
        blocks.append(f"… and {len(pairs) - MAX_COPIES} more copies")
    return "\n \n".join(blocks) + "\n"


def _pairs(flow: http.HTTPFlow, find: FindFlow) -> Iterable[tuple[http.HTTPFlow, http.HTTPFlow]]:
    """Every original and copy that `flow` is one side of."""
    if OF in flow.metadata:
        original = find(flow.metadata[OF])
        if isinstance(original, http.HTTPFlow):
            yield original, flow
        return
    for copy_id in flow.metadata.get(COPIES, ()):
        copy = find(copy_id)
        if isinstance(copy, http.HTTPFlow):
            yield flow, copy
