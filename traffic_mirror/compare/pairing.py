"""Which elements of two lists stand for one another where a policy says that order does not matter: by what
they are, or by a key."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal

from traffic_mirror.compare.align import MAX_CELLS, Keyed, Pairs, align
from traffic_mirror.compare.budget import Budget
from traffic_mirror.compare.leveling import Level
from traffic_mirror.compare.likeness import LEAST, key, likeness
from traffic_mirror.compare.trees import Element


def keyed(side: Sequence[Level], budget: Budget) -> Keyed:
    """The elements' keys, with and without what may be noise."""
    budget.spend(4 * len(side))
    exact, masked = ([key(level.value, budget, masked=masked) for level in side] for masked in (False, True))
    return Keyed(exact, masked)


def pair_equal(first: Sequence[Hashable], second: Sequence[Hashable]) -> Pairs:
    """Pairs of equal keys wherever they are; each is used once."""
    waiting: dict[object, deque[int]] = {}
    for j, y in enumerate(second):
        waiting.setdefault(y, deque()).append(j)
    return [(i, waiting[x].popleft()) for i, x in enumerate(first) if waiting.get(x)]


def pair_any_order(first: Sequence[Level], second: Sequence[Level], budget: Budget) -> Pairs:
    """Equal elements first, then equal but for noise, then those that are most alike; None where one is
    alone."""
    keys = keyed(first, budget), keyed(second, budget)
    left, right = list(range(len(first))), list(range(len(second)))
    pairs: Pairs = []
    for mine, others in zip(*keys, strict=True):
        found = _pair_near({i: mine[i] for i in left}, {j: others[j] for j in right}, first, second)
        pairs += found
        taken = {i for i, _ in found}, {j for _, j in found}
        left = [i for i in left if i not in taken[0]]
        right = [j for j in right if j not in taken[1]]
    return pairs + _pair_alike(first, second, left, right, budget)


def pair_by_key(
    a: Sequence[object],
    b: Sequence[object],
    by: str,
    levels: tuple[Sequence[Level], Sequence[Level]],
    budget: Budget,
) -> Pairs:
    """Pairs of elements with the same value of a key; those without the key in any order."""
    keys = [[_key_of(element, by) for element in side] for side in (a, b)]
    with_key = [[i for i, found in enumerate(side) if found is not None] for side in keys]
    without = [[i for i, found in enumerate(side) if found is None] for side in keys]
    matched = pair_equal(*([keys[n][i] for i in with_key[n]] for n in (0, 1)))
    pairs = [(with_key[0][i], with_key[1][j]) for i, j in matched if i is not None and j is not None]
    left, right = ([levels[n][i] for i in without[n]] for n in (0, 1))
    rest = pair_any_order(left, right, budget)
    used = {i for i, _ in pairs}, {j for _, j in pairs}
    return [
        *pairs,
        *((i if i is None else without[0][i], j if j is None else without[1][j]) for i, j in rest),
        *((i, None) for i in with_key[0] if i not in used[0]),
        *((None, j) for j in with_key[1] if j not in used[1]),
    ]


def _key_of(element: object, by: str) -> str | None:
    """What an object has at a key, or an element of a tree in an attribute or a child of that name."""
    if isinstance(element, dict):
        return repr(element[by]) if by in element else None
    if not isinstance(element, Element):
        return None
    if (attribute := element.attributes.get(f"@{by.removeprefix('@')}")) is not None:
        return str(attribute)
    named = (c for c in element.children if isinstance(c, Element) and c.name == by)
    return next(("".join(map(str, child.children)) for child in named), None)


def _pair_near(
    mine: Mapping[int, Hashable],
    others: Mapping[int, Hashable],
    first: Sequence[Level],
    second: Sequence[Level],
) -> list[tuple[int, int]]:
    """Pairs of elements with equal keys whose open numbers are near enough; each is used once."""
    groups: dict[Hashable, tuple[list[int], list[int]]] = {}
    for number, side in enumerate((mine, others)):
        for i, found in side.items():
            groups.setdefault(found, ([], []))[number].append(i)
    pairs = []
    for left, right in groups.values():
        left.sort(key=lambda i: first[i].numbers, reverse=True)
        right.sort(key=lambda j: second[j].numbers, reverse=True)
        while left and right:
            x, y = first[left[-1]].numbers, second[right[-1]].numbers
            if all(abs(a - b) <= Decimal(str(bound)) for (a, bound), (b, _) in zip(x, y, strict=False)):
                pairs.append((left.pop(), right.pop()))
            else:
                (left if x < y else right).pop()
    return pairs


def _pair_alike(
    first: Sequence[Level], second: Sequence[Level], left: list[int], right: list[int], budget: Budget
) -> Pairs:
    """The most alike first; where there are too many to try them all, in order."""
    if len(left) * len(right) > MAX_CELLS:
        mine, others = (
            keyed([side[i] for i in some], budget) for side, some in ((first, left), (second, right))
        )
        rest = align(
            mine,
            others,
            lambda i, j: likeness(first[left[i]].value, second[right[j]].value, budget),
            budget,
        )
        return [(None if i is None else left[i], None if j is None else right[j]) for i, j in rest]
    scores = (
        (-likeness(first[i].value, second[j].value, budget), i + j, abs(i - j), i, j)
        for i in left
        for j in right
    )
    pairs: Pairs = []
    alone = set(left), set(right)
    for score, _, _, i, j in sorted(scores):
        if -score >= LEAST and i in alone[0] and j in alone[1]:
            pairs.append((i, j))
            alone[0].remove(i)
            alone[1].remove(j)
    return [
        *pairs,
        *((i, None) for i in sorted(alone[0])),
        *((None, j) for j in sorted(alone[1])),
    ]
