"""A flow that a rule took, and the line in the results of a copy of it that never left the proxy."""

from __future__ import annotations

from dataclasses import dataclass

from mitmproxy import http

from traffic_mirror.copies import mask_query
from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.edge.program import Lot, Program, RuleProgram
from traffic_mirror.rules import Route
from traffic_mirror.spec.model import path_template
from traffic_mirror.wire.frames import Unsent


@dataclass(frozen=True, slots=True)
class Taken:
    """A request, as it was, and the rule that took it. Its `flow` may have changed since."""

    flow: http.HTTPFlow
    request: FrozenRequest
    program: Program
    route: Route

    @property
    def plan(self) -> RuleProgram:
        """What is to be done."""
        return self.program.plan(self.route)


def unsent_line(taken: Taken, lot: Lot, outcome: str, reason: str) -> Unsent:
    """What the results say of a copy that ended at the edge; query values that are redacted stay so."""
    request = taken.request
    destination = taken.program.spec.destinations[lot.destination]
    masked = frozenset((*taken.plan.rule.redact.query, *destination.redact.query))
    return Unsent(
        request.id,
        request.time,
        *lot.row.key,
        request.method,
        request.scheme,
        request.host,
        request.port,
        mask_query(request.target, masked) if masked else request.target,
        outcome,
        reason,
        path_template(taken.route.api, taken.route.rule),
    )
