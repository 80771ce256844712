"""Differences grouped by rule, route, place and kind: how often, since when, and two examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from traffic_mirror.compare.model import Verdict
from traffic_mirror.compare.places import generalise

MAX_GROUPS = 1000
MAX_ROUTES = 1000
EXAMPLES = 2
_END_OF_TIME = 253_402_300_799.0  # the end of the year 9999


class Group(msgspec.Struct):
    """One group. `count` is in how many comparisons the difference was seen, `first` and `last` are unix
    seconds."""

    rule: str
    route: str
    place: str
    kind: str
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    examples: list[str] = []


class _State(msgspec.Struct):
    groups: list[Group] = []
    compared: list[tuple[str, str, int]] = []
    evicted: int = 0


class Groups:
    """All groups, bounded: when there are too many, the one seen least (then longest ago) makes room."""

    def __init__(self, limit: int = MAX_GROUPS) -> None:
        self._limit = limit
        self._groups: dict[tuple[str, str, str, str], Group] = {}
        self._compared: dict[tuple[str, str], int] = {}
        self.evicted = 0

    def add(self, rule: str, route: str, verdict: Verdict, flow_id: str, at: float) -> None:
        """Counts one comparison of `route` (method and path template) at unix time `at`."""
        if verdict.verdict == "incomparable":
            return
        self._count_comparison((rule, route))
        places = {(generalise(d.place), d.kind): None for d in verdict.differences}
        for place, kind in places:
            group = self._group((rule, route, place, kind), at)
            group.count += 1
            group.first, group.last = min(group.first, at), max(group.last, at)
            if len(group.examples) < EXAMPLES and flow_id not in group.examples:
                group.examples.append(flow_id)

    def of(self, rule: str, route: str) -> int:
        """How many comparisons of a route were counted."""
        return self._compared.get((rule, route), 0)

    def listing(self) -> list[dict[str, object]]:
        """The groups as `GET /api/differences` gives them, most often seen first."""
        groups = sorted(self._groups.values(), key=lambda g: (-g.count, g.rule, g.route, g.place, g.kind))
        return [_listed(group, self.of(group.rule, group.route)) for group in groups]

    def lines(self) -> list[str]:
        """The groups as lines for people, most often seen first."""
        return [group_line(listed) for listed in self.listing()]

    def renamed(self, name: Callable[[str, str], tuple[str, str]]) -> Groups:
        """The same with each rule and route named as `name` says; those of one name become one."""
        renamed = Groups(self._limit)
        renamed.evicted = self.evicted
        for (rule, old), count in self._compared.items():
            key = name(rule, old)
            renamed._compared[key] = renamed._compared.get(key, 0) + count
        for group in self._groups.values():
            rule, route = name(group.rule, group.route)
            into = renamed._group((rule, route, group.place, group.kind), group.first)
            into.count += group.count
            into.first, into.last = min(into.first, group.first), max(into.last, group.last)
            into.examples += group.examples[: EXAMPLES - len(into.examples)]
        return renamed

    def dump(self) -> dict[str, object]:
        """All of it as plain data, for `Groups.load`."""
        state = _State(
            list(self._groups.values()), [(*key, n) for key, n in self._compared.items()], self.evicted
        )
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
        groups._groups = {(g.rule, g.route, g.place, g.kind): g for g in state.groups[:limit]}
        groups._compared = {(rule, route): n for rule, route, n in state.compared[:MAX_ROUTES]}
        groups.evicted = state.evicted
        return groups

    def _count_comparison(self, key: tuple[str, str]) -> None:
        if key not in self._compared and len(self._compared) >= MAX_ROUTES:
            del self._compared[min(self._compared, key=self._compared.__getitem__)]
        self._compared[key] = self._compared.get(key, 0) + 1

    def _group(self, key: tuple[str, str, str, str], at: float) -> Group:
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
        "rule": group.rule,
        "route": group.route,
        "place": group.place,
        "kind": group.kind,
        "count": group.count,
        "of": max(of, group.count),
        "first": moment(group.first),
        "last": moment(group.last),
        "examples": list(group.examples),
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
    return (
        f"{group['route']} → {group['place']} {group['kind']} "
        f"({group['count']:,} of {group['of']:,}, from {since}{shown})"
    )
