"""The law of mutation: one leaf of a document made another, with noise all around, is always found."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compare.examiner.examination import POLICY
from traffic_mirror.compare import Answer, Verdict, judge
from traffic_mirror.compare.places import generalise, write_body

Path = tuple[str | int, ...]
NOW = 1_795_428_000.0
NOISE: dict[str, Callable[[Random, float, str], object]] = {
    "generatedAt": lambda dice, at, host: f"2026-11-23T{int(at) // 3600 % 24:02d}:{int(at) // 60 % 60:02d}:{int(at) % 60:02d}Z",
    "requestId": lambda dice, at, host: str(uuid.UUID(int=dice.getrandbits(128), version=4)),
    "trace_id": lambda dice, at, host: f"{dice.getrandbits(128):032x}",
    "servedAt": lambda dice, at, host: int(at * 1000),
    "self": lambda dice, at, host: f"https://{host}/things/7?ts={int(at)}",
    "note": lambda dice, at, host: f"seen by {host} in request {dice.getrandbits(64):016x}",
}  # fmt: skip
NAMES = st.sampled_from(
    [
        "id",
        "name",
        "price",
        "total",
        "status",
        "count",
        "date",
        "owner",
        "ratio",
        "tags",
        "code",
        "url",
        "x y",
        "größe",
    ]
)
LEAVES = st.one_of(
    st.integers(-1_000_000, 1_000_000),
    st.decimals(-9999, 9999, places=3, allow_nan=False).map(float),
    st.booleans(),
    st.none(),
    st.sampled_from(["", "open", "EUR", "Café", "a b", "42", "0.10", "A-1001", "v1.2.3", "2019-03-01"]),
    st.dates().filter(lambda day: day.year < 2020).map(str),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="%"), max_size=12),
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.dictionaries(NAMES, inner, max_size=5), st.lists(inner, max_size=5)),
    max_leaves=40,
)
LAW = settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@LAW
@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_a_mutated_leaf_is_found(document: Any, dice: Random) -> None:
    stored = {"data": document}
    paths = list(leaves(stored, ()))
    path = dice.choice(paths)
    changed = copy.deepcopy(stored)
    mutate(changed, path, dice)
    seed = dice.random()
    verdict = judge_both(noisy(stored, seed, 0), noisy(changed, seed, 1))
    assert any(is_near(d.place, path) for d in verdict.differences), (stored, path, changed)


@LAW
@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_noise_alone_is_none(document: Any, dice: Random) -> None:
    seed = dice.random()
    stored = {"data": document}
    verdict = judge_both(noisy(stored, seed, 0), noisy(stored, seed, 1))
    assert verdict.differences == ()


def is_near(place: str, path: Path) -> bool:
    """Whether a place is what holds the path's end, something in that, or something around it."""
    found, holder = generalise(place), generalise(write_body(path[:-1]))
    return found.startswith(holder) or holder.startswith(found)


def leaves(value: Any, path: Path) -> Iterator[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yielded = False
    for step, held in inner:
        yielded = True
        yield from leaves(held, (*path, step))
    if not yielded:
        yield path


def mutate(document: Any, path: Path, dice: Random) -> None:
    """Another value at the path, or none, or one more beside it."""
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    way = dice.random()
    if way < 0.1:
        del holder[path[-1]]
    elif way < 0.2 and isinstance(holder, list):
        holder.insert(dice.randint(0, len(holder)), "one more")
    else:
        holder[path[-1]] = another(holder[path[-1]], dice)


def another(value: Any, dice: Random) -> Any:
    """A value that is not this one, by the smallest of steps."""
    if isinstance(value, bool):
        return dice.choice((not value, int(value), str(value).lower(), None))
    if isinstance(value, int):
        return dice.choice((value + 1, value - 1, value * 10 or 5, -value or 7, str(value), value + 0.5))
    if isinstance(value, float):
        return dice.choice((value + 0.001, round(value, 1) + 0.04, -value or 1.5, str(value)))
    if isinstance(value, str) and value:
        at = dice.randrange(len(value))
        return dice.choice(
            (value[:at] + ("q" if value[at] != "q" else "z") + value[at + 1 :], value + "1", value[:at], None)
        )
    if isinstance(value, dict | list):
        return dice.choice((None, {} if value == [] else [], "", 0))
    return dice.choice((0, False, "x", [] if value is None else None))


def noisy(value: Any, seed: float, side: int, path: str = "$") -> Any:
    """The document with noise in its objects: in the same places on both sides, but for list indices."""
    if isinstance(value, list):
        return [noisy(item, seed, side, f"{path}[*]") for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: noisy(item, seed, side, f"{path}.{key}") for key, item in value.items()}
    dice = Random(f"{seed} {path}")
    for name in dice.sample(sorted(NOISE), dice.randint(0, 3)):
        own = Random(f"{seed} {side} {path} {name} {json.dumps(value)}")
        made[name] = NOISE[name](own, NOW + 1.7 * side, ("api.acme.test", "copy.acme.test:8443")[side])
    return made


def judge_both(primary: Any, copied: Any) -> Verdict:
    first, second = (
        Answer(
            status=200,
            headers=((b"content-type", b"application/json"),),
            body=json.dumps(document).encode(),
            hosts=hosts,
            began=began,
            seconds=0.1,
        )
        for document, hosts, began in (
            (primary, ("api.acme.test",), NOW - 0.05),
            (copied, ("copy.acme.test", "copy.acme.test:8443"), NOW + 1.65),
        )
    )
    return judge(first, second, POLICY)
