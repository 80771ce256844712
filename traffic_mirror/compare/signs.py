"""Signs that an object was made for its answer: a stamp near now in it, the same on both sides or not."""

from __future__ import annotations

from traffic_mirror.compare import names
from traffic_mirror.compare.budget import Budget
from traffic_mirror.compare.moments import near, read_unix
from traffic_mirror.compare.pieces import stamps
from traffic_mirror.compare.places import Path, Step, Tag, Whole
from traffic_mirror.compare.scene import Scene
from traffic_mirror.compare.trees import Element

_MAX_VALUES = 300


def was_made_now(root: object, path: Path, scene: Scene, budget: Budget) -> bool:
    """Whether what the primary has at `path` holds a stamp of its now; lists in it count for themselves."""
    if isinstance(root, str):
        budget.spend(1 + len(root) // 2000)
    waiting = [_follow(root, path[1:] if isinstance(root, Element) else path)]
    for value in waiting:
        budget.spend(1)
        if isinstance(value, dict):
            waiting.extend(inner for inner in value.values() if not isinstance(inner, list))
        elif isinstance(value, Element):
            waiting.extend((*value.attributes.values(), *value.children))
        elif _is_stamp(value, scene):
            return True
        if len(waiting) > _MAX_VALUES:
            break
    return False


def is_envelope(step: Step) -> bool:
    """Whether what is at a step tells of the answer and not of what it is about."""
    name = step.name if isinstance(step, Tag) else step
    return isinstance(name, str) and names.is_envelope(names.words(name))


def _is_stamp(value: object, scene: Scene) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    found = stamps(value) if isinstance(value, str) else read_unix(str(value)) if _is_short(value) else ()
    return any(near(moment, now) for moment in found for now, _ in scene.nows)


def _is_short(value: object) -> bool:
    return not isinstance(value, int) or abs(value) < 1 << 63


def _follow(value: object, path: Path) -> object:
    for step in path:
        value = _enter(value, step)
    return value


def _line(text: object, step: Whole) -> object:
    lines = text.splitlines() if isinstance(text, str) else []
    number = step.removeprefix("line ")
    return lines[int(number) - 1] if number.isdigit() and 0 < int(number) <= len(lines) else None


def _enter(value: object, step: Step) -> object:
    if isinstance(step, Whole):
        return _line(value, step)
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    if isinstance(value, Element) and isinstance(step, Tag):
        named = [c for c in value.children if isinstance(c, Element) and c.name == step.name]
        return named[max(0, step.nth - 1)] if len(named) >= max(1, step.nth) else None
    return None
