"""Reach: which APIs of a spec no request can be for, in the modes that the proxy serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mitmproxy.proxy import mode_specs

from traffic_mirror.rules.hosts import fits, normalise, normalise_pattern
from traffic_mirror.spec.model import Spec

_MAX_SAID = 5


def out_of_reach(spec: Spec, modes: Sequence[str], keep_host_header: bool) -> Iterator[str]:
    """What to say of APIs whose `hosts` can't match: in reverse mode requests carry the primary's Host."""
    parsed = [mode_specs.ProxyMode.parse(mode) for mode in modes]
    targets = [mode.address[0] for mode in parsed if isinstance(mode, mode_specs.ReverseMode)]
    if keep_host_header or not parsed or len(targets) < len(parsed):
        return
    lost = [api for api in spec.apis if api.hosts and not _any_fits(targets, api.hosts)]
    for api in lost[:_MAX_SAID]:
        yield (
            f"API {api.name} takes no request: its hosts are {', '.join(api.hosts)}, and in reverse mode the "
            f"Host header is the primary's, {', '.join(targets)}, unless keep_host_header is set"
        )
    if len(lost) > _MAX_SAID:
        yield f"{len(lost) - _MAX_SAID} more APIs take no request for the same reason"


def _any_fits(hosts: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fits(normalise(host), normalise_pattern(pattern)) for host in hosts for pattern in patterns)
