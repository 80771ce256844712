"""Candidates: many expressions in RE2 sets, and the owners of those that a path fits.

Finding them costs about the same for ten expressions as for ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import re2

MIB = 1024 * 1024
_LEAST_MEMORY = 8 * MIB
_MOST_MEMORY = 512 * MIB
_MEMORY_PER_BYTE = 128  # what RE2 needs for a byte of an expression, measured generously

_Match = Callable[[bytes], list[int] | None]


class Pattern[Owner](NamedTuple):
    """An expression, and who is found by it."""

    expression: str
    owner: Owner


class Candidates[Owner]:
    """RE2 sets over `patterns`. A subject is a token (for the host) and a path.

    Where `rooted` the token comes first and expressions fit whole subjects; else it comes last, and
    they fit a subject's end. Raises ValueError for expressions that no set of `most_memory` bytes holds.
    """

    def __init__(
        self, patterns: Sequence[Pattern[Owner]], *, rooted: bool, most_memory: int = _MOST_MEMORY
    ) -> None:
        self._rooted = rooted
        self._sets = _compile_sets(patterns, rooted, most_memory)
        self.size = len(patterns)

    def find(self, tokens: Iterable[bytes], path: bytes) -> list[Owner] | None:
        """The owners whose expressions fit, in no order, some maybe twice; None when RE2 had no memory."""
        found: list[Owner] = []
        for token in tokens:
            subject = token + path if self._rooted else path + b"\n" + token
            for match, owners in self._sets:
                hits = match(subject)
                if hits is None:
                    return None
                for hit in hits:
                    owner = owners[hit]
                    if owner is not None:
                        found.append(owner)
        return found


type _Sets[Owner] = tuple[tuple[_Match, list[Owner | None]], ...]


def _compile_sets[Owner](patterns: Sequence[Pattern[Owner]], rooted: bool, most_memory: int) -> _Sets[Owner]:
    """As few sets as it takes."""
    if not patterns:
        return ()
    match = _compile_set([pattern.expression for pattern in patterns], rooted, most_memory)
    if match is not None:
        return ((match, [*(pattern.owner for pattern in patterns), None]),)
    if len(patterns) == 1:
        shown = patterns[0].expression[:60]
        raise ValueError(f"the expression {shown!r}… takes more than {most_memory // MIB} MiB, expected less")
    middle = len(patterns) // 2
    first = _compile_sets(patterns[:middle], rooted, most_memory)
    return first + _compile_sets(patterns[middle:], rooted, most_memory)


def _compile_set(expressions: Sequence[str], rooted: bool, most_memory: int) -> _Match | None:
    """One set, or None where it would be too large.

    Its last expression, the canary, fits everything: a match without it means that RE2 gave up.
    """
    memory = min(most_memory, _LEAST_MEMORY + _MEMORY_PER_BYTE * sum(map(len, expressions)))
    while True:
        options = re2.Options()
        options.max_mem = memory
        options.never_capture = True
        options.log_errors = False
        matcher = re2.Set.FullMatchSet(options) if rooted else re2.Set.SearchSet(options)
        try:
            for expression in expressions:
                matcher.Add(expression)
            matcher.Add("(?s:.*)" if rooted else "")
            matcher.Compile()
        except re2.error:
            if memory >= most_memory:
                return None
            memory = min(most_memory, memory * 2)
        else:
            match: _Match = matcher.Match
            return match
