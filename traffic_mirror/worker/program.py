"""The spec in force, compiled for the worker: its lanes, and each rule's way to each destination."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from traffic_mirror.compare import Policy, PolicyUse, compile_policy
from traffic_mirror.compare.policy import LEAST_COMPARED
from traffic_mirror.copies import compile_plan
from traffic_mirror.masking import Masker
from traffic_mirror.spec.model import Destination, Spec, find_rule, path_template, whole_path
from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.errand import Route
from traffic_mirror.worker.lane import Ended, Lane


class Lanes:
    """All lanes: those of the spec in force, and older ones that still have copies to end."""

    def __init__(self, ended: Ended) -> None:
        self._ended = ended
        self._current: dict[tuple[Destination, str], Lane] = {}
        self._old: list[Lane] = []

    def __iter__(self) -> Iterator[Lane]:
        yield from self._current.values()
        yield from self._old

    def adopt(self, destinations: Iterable[Destination], parent_proxy: str) -> tuple[Lane, ...]:
        """The lanes of a new spec; where a destination is as it was, its lane and connections stay."""
        before, self._current = self._current, {}
        lanes = []
        for destination in destinations:
            key = (destination, parent_proxy)
            lane = before.pop(key, None) or Lane(destination, parent_proxy, self._ended)
            self._current[key] = lane
            lanes.append(lane)
        self._old += before.values()
        return tuple(lanes)

    @property
    def idle(self) -> bool:
        """Whether no copy waits or is being sent."""
        return all(lane.idle for lane in self)

    async def sweep(self) -> None:
        """Closes the old lanes that are through."""
        through = [lane for lane in self._old if lane.closable]
        self._old = [lane for lane in self._old if lane not in through]
        for lane in through:
            await lane.close()

    async def close(self) -> None:
        """Closes every lane's connections."""
        await asyncio.gather(*(lane.close() for lane in self))


class Unused(NamedTuple):
    """An expression of a rule's `compare:` that matched nothing in so many comparisons, secrets masked."""

    api: str
    rule: str
    expression: str
    compared: int


class Program:
    """A spec with its lanes. Routes and policies are compiled when a rule's first copy comes, then kept."""

    def __init__(self, spec: Spec, lanes: tuple[Lane, ...], accounts: Accounts, *, inspect: bool) -> None:
        self.spec = spec
        self._masker = Masker(spec.secrets)
        self._inspect = inspect
        self._lanes = lanes
        self._accounts = accounts
        self._routes: dict[tuple[int, int, int], Route] = {}
        self._policies: dict[tuple[int, int], tuple[Policy, PolicyUse]] = {}

    def route(self, api: int, rule: int, destination: int) -> Route:
        """The way of a rule's copies to a destination; all three are indices into the spec."""
        key = (api, rule, destination)
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = self._compile(*key)
        return route

    def policy(self, api: int, rule: int) -> tuple[Policy, PolicyUse]:
        """How the answers to a rule's copies are compared, and which parts of that were ever of use."""
        found = self._policies.get((api, rule))
        if found is None:
            policy = compile_policy(find_rule(self.spec, api, rule)[1].compare)
            found = self._policies[api, rule] = (policy, PolicyUse(policy))
        return found

    def unused(self, after: int = LEAST_COMPARED) -> list[Unused]:
        """Expressions of each rule's `compare:` that matched nothing in `after` comparisons or more, nor in
        those of other rules, with which a rule may share what its spec says."""
        matched = {text for _, use in self._policies.values() for text in tuple(use.matched)}
        found = []
        for (api, rule), (_, use) in self._policies.items():
            api_of_it, rule_of_it = find_rule(self.spec, api, rule)
            found += [
                Unused(api_of_it.name, rule_of_it.name, self._masker.text(expression), use.compared)
                for expression in use.never_matched(after)
                if expression not in matched
            ]
        return found

    def _compile(self, api_index: int, rule_index: int, destination_index: int) -> Route:
        api, rule = find_rule(self.spec, api_index, rule_index)
        destination = self.spec.destinations[destination_index]
        row = self._accounts.own.row(api.name, rule.name, destination.name)
        wanted = rule.compare.enabled
        compared = self._inspect if wanted is None else wanted
        plan = compile_plan(self.spec.markers, api, rule, destination, compared=compared)
        return Route(
            row,
            plan,
            self._lanes[destination_index],
            self._masker.text(whole_path(api, rule)),
            path_template(api, rule) is not None,
            partial(self.policy, api_index, rule_index),
            self._accounts.histogram(destination.name),
        )
