"""Differences grouped by way, place and kind: how often, since when, and two examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from traffic_mirror.compare.model import Verdict
from traffic_mirror.compare.places import generalise

MAX_GROUPS = 1000
MAX_WAYS = 4000
EXAMPLES = 2
_END_OF_TIME = 253_402_300_799.0  # the end of the year 9999


class Way(NamedTuple):
    """Whose answers are compared: the API, its rule, the destination and the route, which is a method and a
    path template."""

    api: str
    rule: str
    destination: str
    route: str


class Group(msgspec.Struct):
    """One group. `count` is in how many comparisons the difference was seen, `first` and `last` are unix
    seconds."""

    way: Way
    place: str
    kind: str
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    examples: list[str] = []


class _State(msgspec.Struct):
    groups: list[Group] = []
    compared: list[tuple[Way, int]] = []
    evicted: int = 0


class Groups:
    """All groups, bounded: when there are too many, the one seen least (then longest ago) makes room."""

    def __init__(self, limit: int = MAX_GROUPS) -> None:
        self._limit = limit
        self._groups: dict[tuple[Way, str, str], Group] = {}
        self._compared: dict[Way, int] = {}
        self.evicted = 0

    def add(self, way: Way, verdict: Verdict, flow_id: str, at: float) -> None:
        """Counts one comparison at unix time `at`."""
        if verdict.verdict == "incomparable":
            return
        self._count_comparison(way)
        places = {(generalise(d.place), d.kind): None for d in verdict.differences}
        for place, kind in places:
            group = self._group((way, place, kind), at)
            group.count += 1
            group.first, group.last = min(group.first, at), max(group.last, at)
            if len(group.examples) < EXAMPLES and flow_id not in group.examples:
                group.examples.append(flow_id)

    def of(self, way: Way) -> int:
        """How many comparisons of a way were counted."""
        return self._compared.get(way, 0)

    def listing(self) -> list[dict[str, object]]:
        """The groups as `GET /api/differences` gives them, most often seen first."""
        groups = sorted(self._groups.values(), key=lambda g: (-g.count, g.way, g.place, g.kind))
        return [_listed(group, self.of(group.way)) for group in groups]

    def lines(self) -> list[str]:
        """The groups as lines for people, most often seen first."""
        return [group_line(listed) for listed in self.told_apart()]

    def told_apart(self) -> list[dict[str, object]]:
        """The listing, each group with `apart`: the keys that tell it from others of its route."""
        apart = _apart(self._compared)
        return [{**listed, "apart": apart.get(str(listed["route"]), [])} for listed in self.listing()]

    def renamed(self, name: Callable[[Way], Way]) -> Groups:
        """The same with each way named as `name` says; those of one name become one."""
        renamed = Groups(self._limit)
        renamed.evicted = self.evicted
        for way, count in self._compared.items():
            key = name(way)
            renamed._compared[key] = renamed._compared.get(key, 0) + count
        for group in self._groups.values():
            into = renamed._group((name(group.way), group.place, group.kind), group.first)
            into.count += group.count
            into.first, into.last = min(into.first, group.first), max(into.last, group.last)
            into.examples += group.examples[: EXAMPLES - len(into.examples)]
        return renamed

    def dump(self) -> dict[str, object]:
        """All of it as plain data, for `Groups.load`."""
        state = _State(list(self._groups.values()), list(self._compared.items()), self.evicted)
        dumped: dict[str, object] = msgspec.to_builtins(state)
        return dumped

    @classmethod
    def load(cls, data: object, limit: int = MAX_GROUPS) -> Groups:
        """The groups that `dump` gave; data of another shape gives empty groups."""
        groups = cls(limit)
        try:
            state = msgspec.convert(data, _State)
        except msgspec.ValidationError:
            return groups
        groups._groups = {(g.way, g.place, g.kind): g for g in state.groups[:limit]}
        groups._compared = dict(state.compared[:MAX_WAYS])
        groups.evicted = state.evicted
        return groups

    def _count_comparison(self, key: Way) -> None:
        if key not in self._compared and len(self._compared) >= MAX_WAYS:
            del self._compared[min(self._compared, key=self._compared.__getitem__)]
        self._compared[key] = self._compared.get(key, 0) + 1

    def _group(self, key: tuple[Way, str, str], at: float) -> Group:
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= self._limit:
                self._evict()
            group = self._groups[key] = Group(*key, first=at, last=at)
        return group

    def _evict(self) -> None:
        least = min(self._groups.items(), key=lambda item: (item[1].count, item[1].last))[0]
        del self._groups[least]
        self.evicted += 1


def _listed(group: Group, of: int) -> dict[str, object]:
    return {
        **group.way._asdict(),
        "place": group.place,
        "kind": group.kind,
        "count": group.count,
        "of": max(of, group.count),
        "first": moment(group.first),
        "last": moment(group.last),
        "examples": list(group.examples),
    }


def way_of(listed: Mapping[str, object]) -> Way:
    """The way of a listed group."""
    return Way(*(str(listed[name]) for name in Way._fields))


def _apart(ways: Iterable[Way]) -> dict[str, list[str]]:
    """By route, those of API, rule and destination of which it has more than one."""
    seen: dict[str, list[set[str]]] = {}
    for *named, route in ways:
        known = seen.setdefault(route, [set(), set(), set()])
        for names, name in zip(known, named, strict=True):
            names.add(name)
    return {
        route: [key for key, names in zip(Way._fields, known, strict=False) if len(names) > 1]
        for route, known in seen.items()
    }


def moment(at: float) -> str:
    """Unix seconds as RFC 3339 in UTC with milliseconds; a time that no calendar has is its beginning."""
    if not 0 <= at < _END_OF_TIME:  # of a recording, which may say anything
        at = 0.0
    whole = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
    return f"{whole}{int(at * 1000) % 1000:03d}Z"


def group_line(group: Mapping[str, object]) -> str:
    """One listed group for people: `GET /users/{id} → body:$.price value (1,203 of 1,210, from 14:02,
    …)`."""
    examples = group["examples"]
    assert isinstance(examples, list)
    shown = f", for example flow {', '.join(examples)}" if examples else ""
    since = str(group["first"])[11:16]
    apart = group.get("apart") or ()
    assert isinstance(apart, list | tuple)
    whose = f" ({', '.join(str(group[key]) for key in apart)})" if apart else ""
    return (
        f"{group['route']}{whose} → {group['place']} {group['kind']} "
        f"({group['count']:,} of {group['of']:,}, from {since}{shown})"
    )
