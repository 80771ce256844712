"""The WebSockets under way: which copies a frame of the edge's is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic_mirror.wire.frames import Socket
from traffic_mirror.worker.upload import Feed

if TYPE_CHECKING:
    from traffic_mirror.worker.errand import Errand


class Conversations:
    """The copies of WebSockets that still go on, by their flow's id."""

    def __init__(self) -> None:
        self._flows: dict[str, list[Errand]] = {}

    def add(self, errand: Errand) -> None:
        """Gives a copy its conversation."""
        from traffic_mirror.worker.websocket import Conversation  # noqa: PLC0415 - few workers need it

        lane = errand.route.lane
        errand.feed = Feed(lane.destination.stream_buffer, None, lane.room)
        errand.conversation = Conversation(errand.feed)
        self._flows.setdefault(errand.case.request.id, []).append(errand)

    def of(self, frame: Socket) -> list[Errand]:
        """The copies that a frame is for; after a close no other frame is."""
        return self._flows.pop(frame.id, []) if frame.close else list(self._flows.get(frame.id, ()))

    def forget(self, errand: Errand) -> None:
        """A copy has ended."""
        flow = errand.case.request.id
        errands = self._flows.get(flow, [])
        if errand in errands:
            errands.remove(errand)
        if not errands:
            self._flows.pop(flow, None)

    def give_up(self) -> list[Errand]:
        """No more messages will come; the copies that waited for them come back."""
        flows, self._flows = self._flows, {}
        return [errand for flow in flows.values() for errand in flow]
