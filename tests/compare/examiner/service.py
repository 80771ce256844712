"""A kind of service: how it answers, and what can go wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.compare.examiner.fault import Fault
from tests.compare.examiner.reply import Reply
from tests.compare.examiner.world import Side, World


class Service(NamedTuple):
    """`make` builds one side's reply: what it takes from the world is the same on both sides.

    A `restless` service has values that no shape tells to be noise: only a baseline can.
    """

    name: str
    make: Callable[[World, Side], Reply]
    faults: tuple[Fault, ...] = ()
    restless: bool = False
