"""The sides' own names where they are written: in links, as hosts, as ports."""

from __future__ import annotations

import re

from traffic_mirror.compare.ids import Mark
from traffic_mirror.compare.scene import Scene

_SCHEME = re.compile(r"(?:(?:https?|wss?):)?(?:\\?/){2}|@")
_PLAIN = {"ws://": "http://", "wss://": "https://"}


def explain_host(a: str, b: str, scene: Scene) -> Mark | None:
    """Two links to their own sides; the scheme may differ only as the sides' own do, or where those are not
    known, where a port or a loopback address says that a side is reached another way than its clients do."""
    lead_a, lead_b = _SCHEME.match(a), _SCHEME.match(b)
    first, second = (text[lead.end() :] if lead else text for text, lead in ((a, lead_a), (b, lead_b)))
    if first not in scene.hosts[0] or second not in scene.hosts[1]:
        return None
    said = [lead[0].replace("\\", "") if lead else "" for lead in (lead_a, lead_b)]
    if said[0] == said[1]:
        return Mark("host")
    if all(scene.schemes):
        plain = [_PLAIN.get(lead, lead) for lead in said]
        follows = said[0][:1] == said[1][:1] and plain == [f"{scheme}://" for scheme in scene.schemes]
    else:
        follows = all(said) and (_is_inner(first) or _is_inner(second))
    return Mark("host") if follows else None


def _is_inner(host: str) -> bool:
    return ":" in host or host in ("localhost", "127.0.0.1")


def explain_port(a: str, b: str, scene: Scene) -> Mark | None:
    """Two ports that the sides are reached at."""
    own = [{host.rpartition(":")[2] for host in hosts if ":" in host} for hosts in scene.hosts]
    return Mark("host") if all(x in ports for x, ports in zip((a, b), own, strict=True)) else None
