"""An RE2 expression seen from outside: where it may begin to match, so that a set can look for it.

A set holds many expressions inside longer ones, where `^` and `$` would mean another place. So an
expression is cut at its outermost `|`, and each branch freed of its anchors.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from traffic_mirror.spec.pattern import check_expression

_NOTHING = "(?:)"
_FLAGS = re.compile(r"\(\?([A-Za-z-]+)\)")
_LINES = re.compile(r"\(\?[A-Za-z]*m[A-Za-z-]*[:)]")
_ANCHORS = "AzbB"
_REPEATED = [[sign] for sign in "*+?{"]


class Branch(NamedTuple):
    """One branch of an expression. `rooted`: it began with `^`, which `body` lacks; `ended`: so with `$`.

    Where `exact` is false the branch asserted more than `body` says: what it finds is a candidate only.
    """

    body: str
    rooted: bool
    ended: bool
    exact: bool


def branches(expression: str) -> tuple[Branch, ...]:
    """The branches of a valid expression, each of which may be embedded in a longer one as `(?:body)`.

    >>> branches("^/a/[0-9]+$|/b")
    (Branch(body='/a/[0-9]+', rooted=True, ended=True, exact=True), Branch(body='/b', rooted=False, ...))
    """
    pieces = _pieces(expression)
    split = _split(pieces)
    flags = any(_FLAGS.fullmatch(piece) for piece in pieces)
    if any(_LINES.fullmatch(piece) for piece in pieces) or (flags and len(split) > 1):
        # A flag reaches beyond its branch, or lets ^ and $ match at lines: take it whole.
        found: tuple[Branch, ...] = (Branch(_widened(pieces), rooted=False, ended=False, exact=False),)
    else:
        found = tuple(_branch(branch) for branch in split)
    if flags and any(check_expression(branch.body) for branch in found):
        # RE2 lets a repetition reach over flags to what stands before them, and that is gone now.
        return (Branch("", rooted=False, ended=False, exact=False),)
    return found


def _branch(pieces: list[str]) -> Branch:
    rooted = pieces[:1] == ["^"] and pieces[1:2] not in _REPEATED
    inner = pieces[1:] if rooted else pieces
    ended = bool(inner) and inner[-1] == "$"
    inner = inner[:-1] if ended else inner
    body = _widened(inner)
    return Branch(body, rooted, ended, exact=body == "".join(inner))


def _widened(pieces: list[str]) -> str:
    """The text without what it asserts about its place: that finds the same and more."""
    return "".join(_NOTHING if _is_anchor(piece) else piece for piece in pieces)


def _is_anchor(piece: str) -> bool:
    return piece in ("^", "$") or (len(piece) == 2 and piece[0] == "\\" and piece[1] in _ANCHORS)


def _split(pieces: list[str]) -> list[list[str]]:
    """The pieces between the `|` that stand in no group."""
    split: list[list[str]] = [[]]
    depth = 0
    for piece in pieces:
        if piece == "|" and depth == 0:
            split.append([])
            continue
        if piece == ")":
            depth -= 1
        elif piece[0] == "(" and not _FLAGS.fullmatch(piece):
            depth += 1
        split[-1].append(piece)
    return split


_PIECE = re.compile(
    r"""\\Q.*?(?:\\E|\Z)            # quoted text
      | \\.                         # an escape
      | \[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]   # a class
      | \(\?[A-Za-z-]+\)            # flags for the rest of the group
      | \(\?(?:P?<\w+>|[A-Za-z-]*:) # a group's head
      | .                           # any other character
    """,
    re.VERBOSE | re.DOTALL,
)


def _pieces(expression: str) -> list[str]:
    pieces = _PIECE.findall(expression)
    return [
        piece + r"\E" if piece.startswith(r"\Q") and not piece.endswith(r"\E") else piece for piece in pieces
    ]
