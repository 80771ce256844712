"""The rule set: all rules of a spec, compiled to find the first that takes a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count
from operator import attrgetter

from traffic_mirror.copies.request import Fields
from traffic_mirror.rules.candidates import Candidates, Pattern
from traffic_mirror.rules.conditions import CompileFilter, Condition, Seen, compile_conditions
from traffic_mirror.rules.hosts import ANY, HostIndex, fits, normalise, normalise_pattern
from traffic_mirror.rules.listen import Listen
from traffic_mirror.rules.paths import RulePath, compile_path, written
from traffic_mirror.rules.shapes import Outline, ShapeIndex
from traffic_mirror.rules.target import has_escaped_slash, read_path
from traffic_mirror.spec.model import Api, Rule, Spec

_in_order = attrgetter("number")


@dataclass(frozen=True, slots=True)
class Route:
    """The rule that took a request; the indices are those of the spec."""

    api_index: int
    rule_index: int
    api: Api
    rule: Rule


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule that did not take a request, and why, in words."""

    api: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which rule took a request, if any, and why every other one did not, in order."""

    route: Route | None
    misses: tuple[Miss, ...]


class Entry:
    """A compiled rule. `hosts` are normalised patterns; `confirm` is asked of a path that was found."""

    __slots__ = ("conditions", "confirm", "hosts", "methods", "number", "path", "route", "tyk")

    def __init__(
        self,
        number: int,
        route: Route,
        listen: Listen,
        methods: frozenset[str],
        conditions: tuple[Condition, ...],
    ) -> None:
        api = route.api
        self.number = number
        self.route = route
        self.tyk = api.tyk is not None
        self.methods = methods
        self.hosts = tuple(normalise_pattern(host) for host in api.hosts) or (ANY,)
        self.path: RulePath = compile_path(api, route.rule, listen)
        self.conditions = conditions
        self.confirm = self.path.confirm()


class RuleSet:
    """A spec's rules. Matching them is pure, and costs about the same however many there are."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)
        self._own = _family(entry for entry in entries if not entry.tyk)
        self._tyk = _family(entry for entry in entries if entry.tyk)

    def match(
        self, method: str, host: str, target: bytes, headers: Fields, flow: object | None = None
    ) -> Route | None:
        """The first rule in order that takes the request.

        `host` may have a port; `target` is the request line's. `flow` is what filters look at: without one
        a rule with a filter takes nothing.
        """
        path = tyk_path = read_path(target)
        found = self._own.find(host, path) if self._own is not None else []
        if self._tyk is not None:
            tyk_path = _tyk_path(target, path)
            found += self._tyk.find(host, tyk_path)
        if len(found) > 1:
            found.sort(key=_in_order)
        for entry in found:
            if entry.methods and method not in entry.methods:
                continue
            if entry.confirm is not None and not entry.confirm(tyk_path if entry.tyk else path):
                continue
            if entry.conditions and _unmet(entry, Seen(headers, target, flow)) is not None:
                continue
            return entry.route
        return None

    def explain(
        self, method: str, host: str, target: bytes, headers: Fields, flow: object | None = None
    ) -> Explanation:
        """What `match` answers, and why every rule that did not take the request did not.

        The request is one that is asked about: `flow` is made of what is known of it.
        """
        path = read_path(target)
        tyk_path = _tyk_path(target, path)
        found = self._own.find(host, path) if self._own is not None else []
        found += self._tyk.find(host, tyk_path) if self._tyk is not None else []
        numbers = {entry.number for entry in found}
        taken: Route | None = None
        misses = []
        for entry in self._entries:
            seen = tyk_path if entry.tyk else path
            reason = _refusal(entry, method, host, seen, entry.number in numbers)
            reason = reason or _unmet(entry, Seen(headers, target, flow, asked=True))
            if reason is None and taken is None:
                taken = entry.route
                continue
            if reason is None and taken is not None:
                reason = f"an earlier rule took it: {taken.api.name} / {taken.rule.name}"
            misses.append(Miss(entry.route.api.name, entry.route.rule.name, reason or ""))
        return Explanation(taken, tuple(misses))


def compile_rules(spec: Spec, compile_filter: CompileFilter | None = None) -> RuleSet:
    """Compiles every rule of `spec`; `compile_filter` makes a function of a filter expression.

    Raises ValueError for what a spec that was read can't hold: a bad pattern.
    """
    listen = lru_cache(maxsize=None)(Listen)
    methods = lru_cache(maxsize=None)(frozenset[str])
    numbers = count()
    return RuleSet(
        [
            Entry(
                next(numbers),
                Route(api_index, rule_index, api, rule),
                listen(api.listen_path, rule.ignore_case),
                methods(rule.methods),
                compile_conditions(rule.match, compile_filter),
            )
            for api_index, api in enumerate(spec.apis)
            for rule_index, rule in enumerate(api.rules)
        ]
    )


class _Family:
    """The rules that read paths alike: our own, or Tyk's. Finds those a host and path may fit."""

    def __init__(self, members: Sequence[Entry]) -> None:
        self._members = members
        self._hosts = HostIndex(chain.from_iterable(entry.hosts for entry in self._members))
        outlined = [(entry, entry.path.outlines()) for entry in self._members]
        self._shapes = ShapeIndex[Entry](outline.shape for _, outlines in outlined for outline in outlines)
        others = [entry for entry, outlines in outlined if not self._add(entry, outlines)]
        self._rooted = _candidates(list(self._patterns(others, rooted=True)), rooted=True)
        self._floating = _candidates(list(self._patterns(others, rooted=False)), rooted=False)

    def _add(self, entry: Entry, outlines: tuple[Outline, ...]) -> bool:
        """Has an entry found by its shape, if it is one of the common ones."""
        if not outlines or not all(self._shapes.holds(outline.shape) for outline in outlines):
            return False
        for outline in outlines:
            for host in entry.hosts:
                self._shapes.add(self._hosts.token(host), outline, entry)
        return True

    def _patterns(self, entries: Iterable[Entry], *, rooted: bool) -> Iterator[Pattern[Entry]]:
        for entry in entries:
            for clue in entry.path.clues:
                if clue.rooted != rooted:
                    continue
                for host in entry.hosts:
                    token = self._hosts.token(host).decode()
                    yield Pattern(written(clue, token, entry.path.ignore_case), entry)

    def find(self, host: str, path: bytes) -> list[Entry]:
        """The rules whose host fits and whose path may, in no order, some maybe twice."""
        tokens = self._hosts.tokens(host)
        found = self._shapes.find(tokens, path)
        for candidates in (self._rooted, self._floating):
            if candidates is not None:
                more = candidates.find(tokens, path)
                if more is None:
                    return self._one_by_one(host, path)
                found += more
        return found

    def _one_by_one(self, host: str, path: bytes) -> list[Entry]:
        """The same without the sets, for when RE2 has no memory left for them: slower, and as right."""
        host = normalise(host)
        return [
            entry
            for entry in self._members
            if any(fits(host, pattern) for pattern in entry.hosts) and entry.path.takes(path)
        ]


def _family(entries: Iterable[Entry]) -> _Family | None:
    """The enabled ones of the entries; None where there are none."""
    members = [entry for entry in entries if not entry.route.rule.disabled]
    return _Family(members) if members else None


def _candidates(patterns: Sequence[Pattern[Entry]], *, rooted: bool) -> Candidates[Entry] | None:
    return Candidates(patterns, rooted=rooted) if patterns else None


def _tyk_path(target: bytes, path: bytes) -> bytes:
    """The path as Tyk reads it, from a target whose path as we read it is known."""
    return read_path(target, slashes=True) if has_escaped_slash(target) else path


def _refusal(entry: Entry, method: str, host: str, path: bytes, found: bool) -> str | None:
    """Why a rule does not take a request for its host, method and path, in words."""
    if entry.route.rule.disabled:
        return "disabled"
    reasons = []
    if entry.methods and method not in entry.methods:
        reasons.append(f"method is {method}, the rule takes {', '.join(entry.route.rule.methods)}")
    name = normalise(host)
    if not any(fits(name, pattern) for pattern in entry.hosts):
        reasons.append(f"host is {name or 'absent'}, the API takes {', '.join(entry.route.api.hosts)}")
    elif not found or (entry.confirm is not None and not entry.confirm(path)):
        reasons.append(entry.path.refusal(path))
    return "; ".join(reasons) or None


def _unmet(entry: Entry, seen: Seen) -> str | None:
    """The first of a rule's conditions that the request does not meet, in words."""
    for refuses in entry.conditions:
        refusal = refuses(seen)
        if refusal is not None:
            return refusal
    return None
