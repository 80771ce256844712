"""Known differences: each changes what is stored in one place of an answer, and says which place that is."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from tests.compare.corpus.pair import Noise, Reply

Steps = tuple[Any, ...]
Leaves = list[tuple[Steps, object]]
Change = tuple[str, Reply, tuple[str, ...], tuple[str, ...]]


def stable_leaves(value: object, path: Steps = ()) -> Iterator[tuple[Steps, object]]:
    """Every single value that no side made up, with its path."""
    if isinstance(value, Noise):
        return
    if isinstance(value, dict):
        for k, v in value.items():
            yield from stable_leaves(v, (*path, k))
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from stable_leaves(v, (*path, i))
    else:
        yield path, value


def general(path: Steps) -> str:
    return "body:$" + "".join("[*]" if isinstance(step, int) else f".{step}" for step in path)


def put(tree: Any, path: Steps, value: object) -> None:
    for step in path[:-1]:
        tree = tree[step]
    tree[path[-1]] = value


def drop(tree: Any, path: Steps) -> None:
    for step in path[:-1]:
        tree = tree[step]
    del tree[path[-1]]


def other(value: object, rng: random.Random) -> object:
    """A value of the same type that says something else, as little as can be."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice([1, -1, 10])
    if isinstance(value, float):
        return round(value + rng.choice([0.01, 1, -0.5]), 6)
    if value is None:
        return rng.choice([0, "", "none"])
    assert isinstance(value, str)
    if len(value) >= 10 and value[4:5] == "-" and value[7:8] == "-":
        return (date.fromisoformat(value[:10]) + timedelta(days=1)).isoformat() + value[10:]
    return other_text(value, rng)


def other_text(value: str, rng: random.Random) -> str:
    places = [i for i, c in enumerate(value) if c.isalnum()]
    if not places:
        return value + "x"
    at = rng.choice(places)
    c = value[at]
    new = str((int(c) + 1) % 10) if c.isascii() and c.isdigit() else ("b" if c == "a" else "a")
    return value[:at] + new + value[at + 1 :]


def change(reply: Reply, rng: random.Random) -> Change:
    """A changed reply: the change's name, the reply, places of which one must be named, texts to be shown."""
    made = copy.deepcopy(reply)
    leaves = list(stable_leaves(made.body))
    kinds = ["status", "header_changed", "header_missing"]
    if isinstance(made.body, bytes):
        kinds += ["bytes"] * 5 if made.body else []
    elif leaves:
        kinds += ["value"] * 8
        if made.content_type.endswith("json") or made.content_type == "application/x-ndjson":
            kinds += ["type", "removed", "added", "null", "element", "text_of_number"]
    kind = rng.choice(kinds)
    return CHANGES[kind](kind, made, leaves, rng)


def _status(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    made.status = rng.choice([s for s in (200, 201, 204, 400, 404, 500, 503) if s != made.status])
    if made.status == 204:
        made.status = 500
    return kind, made, ("status",), ()


def _header_changed(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    name, value = rng.choice(
        [
            ("Cache-Control", "private, max-age=61"),
            ("Vary", "Accept"),
            ("Content-Type", "application/vnd.other"),
        ]
    )
    if name == "Content-Type":
        made.content_type = value
    made.headers = [(n, value if n == name else v) for n, v in made.headers]
    return kind, made, (f"header:{name}", "body"), ()


def _header_missing(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    name = rng.choice(["Cache-Control", "X-Content-Type-Options", "Vary"])
    made.headers = [(n, v) for n, v in made.headers if n != name]
    return kind, made, (f"header:{name}",), ()


def _bytes(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    assert isinstance(made.body, bytes)
    at = rng.randrange(8, len(made.body))
    made.body = made.body[:at] + bytes([made.body[at] ^ 1]) + made.body[at + 1 :]
    return kind, made, ("body:bytes",), ()


def _value(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    path, old = rng.choice(leaves)
    new = other(old, rng)
    put(made.body, path, new)
    return (
        f"value {old!r} -> {new!r} at {general(path)}",
        made,
        (general(path), general(path[:-1])),
        (str(new),),
    )


def _type(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    path, old = rng.choice(leaves)
    put(made.body, path, [old])
    return f"type at {general(path)}", made, (general(path), general(path[:-1])), ()


def _text_of_number(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    numbers = [(p, v) for p, v in leaves if isinstance(v, int | float)]
    if not numbers:
        return _type(kind, made, leaves, rng)
    path, old = rng.choice(numbers)
    put(made.body, path, str(old))
    return f"text of number at {general(path)}", made, (general(path), general(path[:-1])), ()


def _null(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    path, _old = rng.choice([(p, v) for p, v in leaves if v is not None])
    put(made.body, path, None)
    return f"null at {general(path)}", made, (general(path), general(path[:-1])), ()


def _removed(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    path, _ = rng.choice([(p, v) for p, v in leaves if isinstance(p[-1], str)])
    drop(made.body, path)
    return f"removed {general(path)}", made, (general(path), general(path[:-1])), ()


def _added(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    path, _ = rng.choice([(p, v) for p, v in leaves if isinstance(p[-1], str)])
    path = (*path[:-1], "extra")
    put(made.body, path, rng.choice([1, "x", None, []]))
    return f"added {general(path)}", made, (general(path), general(path[:-1])), ()


def _element(kind: str, made: Reply, leaves: Leaves, rng: random.Random) -> Change:
    lists = sorted({p[:i] for p, _ in leaves for i, step in enumerate(p) if isinstance(step, int)}, key=str)
    if not lists:
        return _removed(kind, made, leaves, rng)
    path = rng.choice(lists)
    target: Any = made.body
    for step in path:
        target = target[step]
    del target[rng.randrange(len(target))]
    return f"element of {general(path)}", made, (general(path) + "[*]", general(path)), ()


CHANGES: dict[str, Callable[[str, Reply, Leaves, random.Random], Change]] = {
    "status": _status,
    "header_changed": _header_changed,
    "header_missing": _header_missing,
    "bytes": _bytes,
    "value": _value,
    "type": _type,
    "text_of_number": _text_of_number,
    "null": _null,
    "removed": _removed,
    "added": _added,
    "element": _element,
}
