"""A rule's path, compiled: what finds it among many, and what decides it alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

import re2

from traffic_mirror.rules.expression import Branch, branches
from traffic_mirror.rules.listen import Listen
from traffic_mirror.rules.shapes import Outline, outline
from traffic_mirror.spec.model import Api, Rule
from traffic_mirror.spec.pattern import (
    REST,
    Template,
    compile_expression,
    parse_template,
    tyk_expression,
    whole,
)


class Open(IntEnum):
    """What of a path is still to be looked at when it was found."""

    NOTHING = 0
    LISTEN_PATH = 1
    ALL = 2


class Clue(NamedTuple):
    """RE2 text that a set looks for: from a path's start (`rooted`), up to its end (`ended`).

    It finds every path that the rule takes; unless `open` is NOTHING, others too.
    """

    regex: str
    rooted: bool
    ended: bool
    open: Open


class RulePath(ABC):
    """A rule's path below its API's listen path. Paths are decoded, as `target.read_path` gives them."""

    def __init__(self, rule: Rule, listen: Listen) -> None:
        self.ignore_case = rule.ignore_case
        self._path = rule.path
        self._listen = listen

    @cached_property
    def clues(self) -> tuple[Clue, ...]:
        """What to look for in order to find the rule."""
        return tuple(self._clues())

    def confirm(self) -> Callable[[bytes], bool] | None:
        """What tells whether a path that was found is really taken; None where being found says it.

        What it needs is compiled at once.
        """
        match max(clue.open for clue in self.clues):
            case Open.NOTHING:
                return None
            case Open.LISTEN_PATH:
                return self._is_below
            case _:
                self._compile()
                return self.takes

    def outlines(self) -> tuple[Outline, ...]:
        """All that the rule takes, no more and no less; empty where outlines can't say it."""
        return ()

    @abstractmethod
    def _clues(self) -> Iterator[Clue]: ...

    @abstractmethod
    def _compile(self) -> object:
        """Makes ready what `_fits` needs; otherwise that is made when it is first asked."""

    @abstractmethod
    def _fits(self, below: bytes) -> bool:
        """Whether the part of a path after the listen path is as the rule has it."""

    def takes(self, path: bytes) -> bool:
        """Whether the rule takes `path`, whatever was found before."""
        below = self._listen.below(path)
        return below is not None and self._fits(below)

    def _is_below(self, path: bytes) -> bool:
        return self._listen.below(path) is not None

    def refusal(self, path: bytes) -> str:
        """Why the rule does not take `path`, in words."""
        shown = path.decode("utf-8", "replace")
        below = self._listen.below(path)
        if below is None:
            return f"path {shown} is not below {self._listen.path}"
        where = "" if self._listen.root else f" below {self._listen.path}"
        return f"path {shown} does not match {self._path}{where}"


class TemplatePath(RulePath):
    """A template, such as `/users/{id}`."""

    def __init__(self, rule: Rule, listen: Listen) -> None:
        super().__init__(rule, listen)
        self._template: Template = parse_template(rule.path)

    @cached_property
    def _bare(self) -> bool:
        return not self._listen.root and self._template.slashes == 1 and self._fits(b"/")

    @cached_property
    def _whole(self) -> re2._Regexp:
        return compile_expression(whole(self._template.regex), self.ignore_case)

    def outlines(self) -> tuple[Outline, ...]:
        """The template below the listen path, and the bare listen path where that is a match, too."""
        base, own = self._listen.segments, self._template.segments
        if base is None or own is None or self.ignore_case:
            return ()
        below = outline(base + own[1:], rest=self._template.rest)
        return (below, outline(base, rest=False)) if self._bare else (below,)

    def _clues(self) -> Iterator[Clue]:
        listen = self._listen
        left = Open.NOTHING if listen.exact and not self._template.constrained else Open.ALL
        yield Clue(listen.regex + self._template.regex, rooted=True, ended=True, open=left)
        if self._bare:
            yield Clue(listen.regex, rooted=True, ended=True, open=left)

    def _compile(self) -> object:
        return self._whole

    def _fits(self, below: bytes) -> bool:
        template = self._template
        if template.constrained:
            # As many slashes as the template writes: then no variable reaches over one.
            parts = below.split(b"/", template.slashes)
            last = parts[-1]
            if len(parts) <= template.slashes or (b"/" in last and not template.rest):
                return False
            if template.rest:
                below = below[: len(below) - len(last)]
        return self._whole.search(below) is not None


class ExpressionPath(RulePath):
    """An RE2 expression, such as `^/users/`, searched for in what comes after the listen path."""

    def __init__(self, rule: Rule, listen: Listen, expression: str) -> None:
        super().__init__(rule, listen)
        self._text = expression

    @cached_property
    def _expression(self) -> re2._Regexp:
        return compile_expression(self._text, self.ignore_case)

    def _clues(self) -> Iterator[Clue]:
        listen = self._listen
        for branch in branches(self._text):
            if branch.rooted:
                yield self._rooted_clue(branch)
            else:
                left = self._floats if branch.exact else Open.ALL
                yield Clue(f"(?:{branch.body})", rooted=False, ended=branch.ended, open=left)
        if not listen.root and self._expression.search(b"/") is not None:
            left = Open.NOTHING if listen.exact else Open.ALL
            yield Clue(listen.regex, rooted=True, ended=True, open=left)

    @property
    def _floats(self) -> Open:
        """What is open when a branch without `^` was found somewhere in the whole path."""
        return Open.NOTHING if self._listen.root else Open.ALL

    def _rooted_clue(self, branch: Branch) -> Clue:
        listen = self._listen
        sure = listen.root or (listen.exact and _begins_with_slash(branch.body))
        left = Open.NOTHING if sure and branch.exact else Open.ALL
        return Clue(f"{listen.regex}(?:{branch.body})", rooted=True, ended=branch.ended, open=left)

    def _compile(self) -> object:
        return self._expression

    def _fits(self, below: bytes) -> bool:
        return self._expression.search(below) is not None


class TykPath(ExpressionPath):
    """An endpoint's path in a Tyk definition: searched for in the path with and without the listen path."""

    def _clues(self) -> Iterator[Clue]:
        yield from super()._clues()
        if self._listen.root:
            return
        for branch in branches(self._text):
            if branch.rooted:  # at the start of the whole path, too
                left = Open.LISTEN_PATH if branch.exact else Open.ALL
                yield Clue(f"(?:{branch.body})", rooted=True, ended=branch.ended, open=left)

    @property
    def _floats(self) -> Open:
        return Open.NOTHING if self._listen.root else Open.LISTEN_PATH

    def takes(self, path: bytes) -> bool:
        """Whether the rule takes `path`, with or without its listen path."""
        below = self._listen.below(path)
        return below is not None and (self._fits(below) or self._fits(path))


def compile_path(api: Api, rule: Rule, listen: Listen) -> RulePath:
    """The compiled path of a rule; ValueError says what is wrong with it."""
    if api.tyk is not None:
        prefix, suffix = api.tyk.prefix_matching, api.tyk.suffix_matching
        return TykPath(rule, listen, tyk_expression(rule.path, prefix=prefix, suffix=suffix))
    if rule.path.startswith("^"):
        return ExpressionPath(rule, listen, rule.path)
    return TemplatePath(rule, listen)


def written(clue: Clue, token: str, ignore_case: bool) -> str:
    """A clue as it stands in a set, where a token says which host pattern it is for.

    Rooted: `token path`; other ones: `path\\ntoken`. That way thousands of them share their beginnings,
    which keeps RE2's states small.
    """
    regex = f"(?i:{clue.regex})" if ignore_case else clue.regex
    rest = "" if clue.ended else REST
    return f"{token}{regex}{rest}" if clue.rooted else f"{regex}{rest}\\n{token}$"


def _begins_with_slash(body: str) -> bool:
    start = body.removeprefix("\\")
    return start.startswith("/") and start[1:2] not in ("*", "?", "{")
