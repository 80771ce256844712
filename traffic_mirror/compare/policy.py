"""The policy: what the user knows better about a comparison, compiled once from the spec's `compare:`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

import re2

from traffic_mirror.compare.places import (
    Expression,
    compile_place,
    header_matches,
)
from traffic_mirror.compare.values import without_surrogates
from traffic_mirror.spec.model import Compare
from traffic_mirror.spec.place import PlaceError

LEAST_COMPARED = 20
"""In fewer comparisons, that an expression matched nothing is no sign that it is misspelt."""

_MAX_REGEX_MEMORY = 1 << 20
_MARKS = 0xF0000  # of a private plane, so that no expression of another pair is after them


class Equivalent(NamedTuple):
    """A pair of expressions: what `primary` finds on its side means the same as what `copy` finds on the
    other."""

    primary: object
    copy: object


def _replace(expression: object, mark: str, text: str) -> str:
    text = without_surrogates(text)
    found: str = expression.sub(lambda m: mark + mark.join(g or "" for g in m.groups()), text)  # type: ignore[attr-defined]
    return found


class Policy(NamedTuple):
    """A compiled `compare:`. `problems` are expressions that name no place or do not compile; they are left
    out. Of `tolerance` and `unordered` the first entry that means a place counts: the last one written, the
    rule's before the spec's."""

    ignore: tuple[Expression, ...] = ()
    only: tuple[Expression, ...] = ()
    tolerance: tuple[tuple[Expression, float], ...] = ()
    unordered: tuple[tuple[Expression, str | bool], ...] = ()
    equivalent: tuple[Equivalent, ...] = ()
    status: Literal["exact", "class"] = "exact"
    max_bytes: int = 4 * 1024 * 1024
    problems: tuple[str, ...] = ()

    def level(self, text: str, side: Literal["primary", "copy"]) -> str:
        """A side's text, with marks and the groups that were caught for what equivalent expressions find."""
        for number, pair in enumerate(self.equivalent):
            text = _replace(pair.primary if side == "primary" else pair.copy, chr(_MARKS + number), text)
        return text

    def expressions(self) -> list[Expression]:
        """Every place expression in it."""
        return [*self.ignore, *self.only, *(e for e, _ in self.tolerance), *(e for e, _ in self.unordered)]


def check_policy(compare: Compare) -> tuple[str, ...]:
    """What is wrong with the expressions of a `compare:`; empty where all compile."""
    return compile_policy(compare).problems


def compile_policy(compare: Compare) -> Policy:
    """The policy of a `compare:`; what does not compile is in `problems` and otherwise ignored."""
    problems: list[str] = []
    return Policy(
        ignore=tuple(e for _, e in _places(((t, None) for t in compare.ignore), problems)),
        only=tuple(e for _, e in _places(((t, None) for t in compare.only), problems)),
        tolerance=tuple((e, bound) for bound, e in reversed(_places(compare.tolerance, problems))),
        unordered=tuple((e, by) for by, e in reversed(_places(compare.unordered, problems))),
        equivalent=tuple(_pairs(compare.equivalent, problems)),
        status=compare.status,
        max_bytes=compare.max_bytes,
        problems=tuple(problems),
    )


def _places[T](texts: Iterable[tuple[str, T]], problems: list[str]) -> list[tuple[T, Expression]]:
    found = []
    for text, value in texts:
        try:
            found.append((value, compile_place(text)))
        except PlaceError as error:
            problems.append(f"{text!r} is no place: {error}")
    return found


def _pairs(pairs: Iterable[tuple[str, str]], problems: list[str]) -> list[Equivalent]:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_REGEX_MEMORY
    found = []
    for pair in pairs:
        try:
            first, second = (re2.compile(text, options) for text in pair)
        except re2.error as error:
            problems.append(f"equivalent {list(pair)!r}: {error}")
            continue
        found.append(Equivalent(first, second))
    return found


def is_within(a: object, b: object, bound: float) -> bool:
    """Whether two numbers, or texts that are numbers, are no further apart than `bound`."""
    x, y = read_number(a), read_number(b)
    return x is not None and y is not None and abs(x - y) <= Decimal(str(bound))


def read_number(value: object) -> Decimal | None:
    """A number, or a text that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


class PolicyUse:
    """Which expressions of a policy ever matched, over `compared` comparisons: one that does in none of many
    is likely misspelt."""

    def __init__(self, policy: Policy) -> None:
        self._unused: dict[str, Expression] = {e.text: e for e in policy.expressions()}
        self.compared = 0
        self.matched: set[str] = set()

    def mark(self, expression: Expression) -> None:
        """Notes that an expression matched."""
        if self._unused.pop(expression.text, None) is not None:
            self.matched.add(expression.text)

    def wants_look(self) -> bool:
        """Whether to look for unmatched places in a whole answer: at the first ones, then ever more
        seldom."""
        self.compared += 1
        return bool(self._unused) and (self.compared < 20 or self.compared % 64 == 0)

    def look(self, headers: Sequence[str], find: Callable[[Expression], bool]) -> None:
        """Marks what matches one of an answer's headers (lower case), or what `find` finds in its body."""
        for expression in list(self._unused.values()):
            named = any(header_matches(expression, name) for name in headers)
            if expression.part == "status" or named or (expression.part == "body" and find(expression)):
                self.mark(expression)

    def never_matched(self, after: int = LEAST_COMPARED) -> tuple[str, ...]:
        """The expressions that matched nothing in at least `after` comparisons."""
        return tuple(self._unused) if self.compared >= after else ()
