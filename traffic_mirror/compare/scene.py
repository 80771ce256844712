"""The scene of a comparison: when and where each answer was made, and what the client had asked for."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from traffic_mirror.compare.model import Answer
from traffic_mirror.compare.moments import Now
from traffic_mirror.copies.request import FrozenRequest

_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"QUERY", b"PROPFIND"})
_MUTATION = re.compile(rb'"query"\s*:\s*"\s*mutation\b', re.IGNORECASE)
_QUERY = re.compile(rb'"query"\s*:\s*"')
_BODY_KEPT = 256 * 1024
_CREATED = (201, 202)
_FIRST_ERROR = 400


class Scene(NamedTuple):
    """What noise is judged by. `nows` pairs both sides' times, by each clock known; `took` is seconds, 0
    where unknown. `hosts` are both sides' own names, `links` finds any of them. `asked` is the request's URL
    and body. `reads` says that the request only reads: what it gets back existed before. `lag` is how many
    seconds lie between the two answers. `schemes` are how the sides were reached, empty where unknown.
    `failed` says that the primary answered with an error."""

    nows: tuple[tuple[Now, Now], ...]
    took: tuple[float, float]
    hosts: tuple[tuple[str, ...], tuple[str, ...]]
    links: re.Pattern[str] | None
    asked: str
    reads: bool
    lag: float = 0.0
    schemes: tuple[str, str] = ("", "")
    failed: bool = False


def set_scene(primary: Answer, copy: Answer, request: FrozenRequest | None) -> Scene:
    """The scene of two answers to one request."""
    nows = _nows(primary, copy)
    return Scene(
        nows=nows,
        took=(primary.seconds, copy.seconds),
        hosts=(_own_names(primary.hosts), _own_names(copy.hosts)),
        links=_find_links(primary.hosts, copy.hosts),
        asked=_asked(request),
        reads=_reads(request, primary.status),
        lag=max((abs(b.began - a.began) for a, b in nows), default=0.0),
        schemes=(primary.scheme, copy.scheme),
        failed=primary.status >= _FIRST_ERROR,
    )


def _nows(primary: Answer, copy: Answer) -> tuple[tuple[Now, Now], ...]:
    began, dates = (primary.began, copy.began), (_date(primary), _date(copy))
    either = [a or d for a, d in zip(began, dates, strict=True)]
    known = next((at for at in either if at), 0.0)
    if not known:
        return ()
    first, second = (at or known for at in either)
    pairs = [(Now(first, first + primary.seconds), Now(second, second + copy.seconds))]
    if all(dates) and all(began):
        pairs.append(
            (Now(dates[0] - primary.seconds, dates[0] + 1), Now(dates[1] - copy.seconds, dates[1] + 1))
        )
    return tuple(pairs)


def _date(answer: Answer) -> float:
    for name, value in answer.headers:
        if name.lower() == b"date":
            return read_date(value)
    return 0.0


@lru_cache(maxsize=1024)
def read_date(value: bytes) -> float:
    """The unix time of a Date header; 0 where it is none."""
    try:
        return parsedate_to_datetime(value.decode("latin-1")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0


def _asked(request: FrozenRequest | None) -> str:
    if request is None:
        return ""
    target = request.target.decode("latin-1")
    body = (request.body or b"")[:_BODY_KEPT].decode("utf-8", "replace")
    return "\n".join((target, unquote(target) if "%" in target else "", body))


def _reads(request: FrozenRequest | None, status: int) -> bool:
    if request is None:
        return status not in _CREATED
    if request.method == b"POST" and request.body and _QUERY.search(request.body):
        return not _MUTATION.search(request.body)
    return request.method in _SAFE


@lru_cache(maxsize=1024)
def _own_names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The names in lower case, those without a port also with the usual ones."""
    lower = [host.lower() for host in hosts if host]
    bare = [host for host in lower if ":" not in host] if not any(":" in host for host in lower) else []
    return (*lower, *(f"{host}:{port}" for host in bare for port in (80, 443)))


@lru_cache(maxsize=1024)
def _find_links(first: tuple[str, ...], second: tuple[str, ...]) -> re.Pattern[str] | None:
    """Finds the sides' own names, with the scheme before them where there is one; a name without a dot or
    port (`localhost`) only after `//` or `@`, where it can be nothing else. Slashes may be escaped, as in a
    script."""
    names = sorted({*_own_names(first), *_own_names(second)}, key=lambda h: (-len(h), h))
    full = "|".join(re.escape(h) for h in names if "." in h or ":" in h)
    bare = "|".join(re.escape(h) for h in names if "." not in h and ":" not in h)
    options = []
    if full:
        options.append(rf"(?<![\w.-])(?P<scheme>(?:(?:https?|wss?):)?(?:\\?/){{2}})?(?P<full>{full})")
    if bare:
        options.append(rf"(?P<lead>\b(?:https?:|wss?:)?(?:\\?/){{2}}|@)(?P<bare>{bare})")
    if not options:
        return None
    return re.compile(rf"(?:{'|'.join(options)})(?![\w-]|\.\w|:\d)", re.IGNORECASE)
