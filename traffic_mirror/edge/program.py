"""The program: a spec compiled for the hooks, built whole and swapped in one assignment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from traffic_mirror.copies.markers import marker_names
from traffic_mirror.edge.filters import check_filter, compile_filter
from traffic_mirror.ledger import Row
from traffic_mirror.rules import Route, RuleSet, compile_rules
from traffic_mirror.spec.model import BY_HAND, Api, Rule, Spec
from traffic_mirror.spec.reader import read_spec

SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))


@dataclass(frozen=True, slots=True)
class Lot:
    """One rule's copies to one destination: where the ledger counts them, at the edge and in all.

    `tally` counts only what ended at the edge since the worker began, for the worker's page.
    """

    destination: int
    row: Row
    tally: Row

    def end_here(self, outcome: str, reason: str) -> None:
        """Counts a copy that never reached the worker."""
        self.row.selected += 1
        self.row.end(outcome, reason)
        self.tally.end(outcome, reason)


class Rows(Protocol):
    """Where copies are counted."""

    def lot(self, api: str, rule: str, destination: str, index: int) -> Lot:
        """The rows of one rule and destination; `index` is the destination's in its spec."""


@dataclass(frozen=True, slots=True)
class RuleProgram:
    """What the hooks need of a rule. `compare_bytes` is None where copies are not compared."""

    rule: Rule
    lots: tuple[Lot, ...]
    baseline: Lot | None
    compare_bytes: int | None
    timeout: float


@dataclass(frozen=True, slots=True)
class Program:
    """A spec in force. `plans` is indexed by API, then rule.

    `takes_websockets`: a rule mirrors them. `looks_at_flows`: requests must be decided on in their hook, for
    a filter or a client that waits.
    `most_compared`: the most bytes of an answer that any rule compares; None where none does.
    """

    spec: Spec
    rules: RuleSet
    plans: tuple[tuple[RuleProgram, ...], ...]
    markers: frozenset[bytes]
    takes_websockets: bool
    looks_at_flows: bool
    most_compared: int | None

    def plan(self, route: Route) -> RuleProgram:
        """What is to be done with a request that `route` took; -1 is what a person sends by hand."""
        return _BY_HAND if route.api_index < 0 else self.plans[route.api_index][route.rule_index]


_BY_HAND = RuleProgram(
    rule=BY_HAND.rules[0],
    lots=(),
    baseline=None,
    compare_bytes=BY_HAND.rules[0].compare.max_bytes,
    timeout=0.0,
)


def load_spec(path: Path) -> tuple[Spec, RuleSet]:
    """Reads and compiles the spec at `path`; the slow part, free of the addon's state.

    Raises SpecError with every problem, OSError when there is nothing to read.
    """
    spec = read_spec(path, os.environ, check_filter)
    return spec, compile_rules(spec, compile_filter)


def build_program(spec: Spec, rules: RuleSet, rows: Rows, compare_by_default: bool) -> Program:
    """Joins a compiled spec with the rows that its copies are counted in."""

    def plan(api: Api, rule: Rule) -> RuleProgram:
        def make(index: int) -> Lot:
            return rows.lot(api.name, rule.name, spec.destinations[index].name, index)

        compare = rule.compare
        on = compare.enabled if compare.enabled is not None else compare_by_default
        return RuleProgram(
            rule=rule,
            lots=tuple(make(index) for index in rule.destinations),
            baseline=make(compare.baseline.destination) if on and compare.baseline else None,
            compare_bytes=compare.max_bytes if on else None,
            timeout=max((spec.destinations[index].timeout for index in rule.destinations), default=0.0),
        )

    plans = tuple(tuple(plan(api, rule) for rule in api.rules) for api in spec.apis)
    every = tuple(chain.from_iterable(plans))
    return Program(
        spec=spec,
        rules=rules,
        plans=plans,
        markers=marker_names(spec),
        takes_websockets=any(each.rule.websocket for each in every),
        looks_at_flows=any(each.rule.wait or each.rule.match.filter for each in every),
        most_compared=max((n for each in every if (n := each.compare_bytes) is not None), default=None),
    )
