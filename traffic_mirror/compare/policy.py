"""The policy: what the user knows better about a comparison, compiled once from the spec's `compare:`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import re2

from traffic_mirror.compare.places import (
    Expression,
    Path,
    compile_place,
    header_matches,
)
from traffic_mirror.compare.values import without_surrogates
from traffic_mirror.spec.model import Compare
from traffic_mirror.spec.place import PlaceError

_MAX_REGEX_MEMORY = 1 << 20


class Equivalent(NamedTuple):
    """A pair of expressions: what `primary` finds on its side means the same as what `copy` finds on the
    other."""

    primary: object
    copy: object

    def level(self, mark: str, primary: str, copy: str) -> tuple[str, str]:
        """Both texts with what the pair finds replaced by `mark` and the groups it caught."""
        return _replace(self.primary, mark, primary), _replace(self.copy, mark, copy)


def _replace(expression: object, mark: str, text: str) -> str:
    text = without_surrogates(text)
    found: str = expression.sub(lambda m: mark + mark.join(g or "" for g in m.groups()), text)  # type: ignore[attr-defined]
    return found


class Policy(NamedTuple):
    """A compiled `compare:`. `problems` are expressions that name no place or do not compile; they are left
    out."""

    ignore: tuple[Expression, ...] = ()
    only: tuple[Expression, ...] = ()
    tolerance: tuple[tuple[Expression, float], ...] = ()
    unordered: tuple[tuple[Expression, str | bool], ...] = ()
    equivalent: tuple[Equivalent, ...] = ()
    status: Literal["exact", "class"] = "exact"
    max_bytes: int = 4 * 1024 * 1024
    problems: tuple[str, ...] = ()

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
        tolerance=tuple((e, bound) for bound, e in _places(compare.tolerance, problems)),
        unordered=tuple((e, by) for by, e in _places(compare.unordered, problems)),
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


class PolicyUse:
    """Which expressions of a policy ever matched, over many comparisons: one that never does is likely
    misspelt."""

    def __init__(self, policy: Policy) -> None:
        self._unused: dict[str, Expression] = {e.text: e for e in policy.expressions()}
        self._compared = 0

    def mark(self, expression: Expression) -> None:
        """Notes that an expression matched."""
        self._unused.pop(expression.text, None)

    def wants_look(self) -> bool:
        """Whether to look for unmatched places in a whole answer: at the first ones, then ever more
        seldom."""
        self._compared += 1
        return bool(self._unused) and (self._compared < 20 or self._compared % 64 == 0)

    def look(self, headers: Sequence[str], paths: Iterable[Path]) -> None:
        """Marks what matches one of an answer's headers (lower case) or body paths."""
        for expression in list(self._unused.values()):
            if expression.part == "status" or any(header_matches(expression, name) for name in headers):
                self.mark(expression)
        body = [e for e in self._unused.values() if e.part == "body"]
        for path in paths:
            for expression in [e for e in body if e.is_at(path)]:
                body.remove(expression)
                self.mark(expression)
            if not body:
                return

    def never_matched(self, after: int = 20) -> tuple[str, ...]:
        """The expressions that matched nothing in at least `after` comparisons."""
        return tuple(self._unused) if self._compared >= after else ()
