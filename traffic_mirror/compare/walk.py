"""The walk through two values at once: objects by key, lists element by element, single values last."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from traffic_mirror.compare import names
from traffic_mirror.compare.align import Pairs, align
from traffic_mirror.compare.budget import Budget
from traffic_mirror.compare.findings import Findings
from traffic_mirror.compare.holders import element_of, holder_of, is_in_content
from traffic_mirror.compare.ids import Mark, Name
from traffic_mirror.compare.leveling import Level, Leveling, Side, contains
from traffic_mirror.compare.likeness import kind, likeness, same
from traffic_mirror.compare.model import DifferenceKind
from traffic_mirror.compare.moments import moved
from traffic_mirror.compare.pairing import keyed, pair_any_order, pair_by_key, pair_equal
from traffic_mirror.compare.places import Path, Step, Tag, Whole, steps_of, write_body
from traffic_mirror.compare.policy import Policy, PolicyUse, is_within
from traffic_mirror.compare.records import read_record
from traffic_mirror.compare.scene import Scene
from traffic_mirror.compare.strict_json import Repeated, read_json
from traffic_mirror.compare.trees import Element
from traffic_mirror.compare.values import explain

_MAX_DEPTH = 200
_POSITIONAL = 0.5
_SCALAR = 30
"""Steps that two unlike single values take, beside those for their length."""

_HELD = re.compile(
    r"(\s*(?:(?:(?:var|let|const)\s+)?[\w.$\[\]\"']{1,80}\s*[=(]\s*)?)(\{.*\}|\[.*\])(\s*\)?;?\s*)", re.DOTALL
)
"""JSON as the whole of a text, or as what a script assigns or calls with."""

_MISSING = object()
_MAX_FRESH_KEYS = 20
_MIN_FRESH_KEY = 8

Steps = Callable[[int], Step]


class Walk:
    """One comparison of two bodies of one kind; what it finds goes to `findings`."""

    def __init__(
        self,
        body_kind: str,
        policy: Policy,
        scene: Scene,
        findings: Findings,
        budget: Budget,
        use: PolicyUse | None,
    ) -> None:
        self._kind = body_kind
        self._policy = policy
        self._scene = scene
        self._findings = findings
        self._budget = budget
        self._use = use
        self._shifted: dict[Path, Step] = {}

    def values(self, path: Path, a: object, b: object, hint: str = "") -> None:
        """Compares what is at one path of both."""
        if a is b:
            return
        if isinstance(a, Repeated) != isinstance(b, Repeated):
            self._repeated(path, a, b)
        elif kind(a) != kind(b):
            self.add(path, "type", a, b)
        elif isinstance(a, dict | list) and self._has_moved(path, a, b):
            return
        elif isinstance(a, dict):
            assert isinstance(b, dict)
            self._objects(path, a, b)
        elif isinstance(a, list):
            assert isinstance(b, list)
            self._lists(path, a, b, lambda i: i, lambda j: j)
        elif isinstance(a, Element):
            assert isinstance(b, Element)
            self._elements(path, a, b)
        elif a != b:
            self._scalars(path, a, b, hint)
        self._findings.stop_when_enough()

    def lines(self, a: list[str], b: list[str]) -> None:
        """Compares two texts line by line."""
        self._lists((), list(a), list(b), _line, _line, ordered=False)

    def _has_moved(self, path: Path, a: object, b: object) -> bool:
        """Whether two objects or lists are one moment each, and these only followed their answers."""
        first, second = read_record(a), read_record(b)
        if first is None or second is None or a == b or self._is_ignored(path, a, b):
            return False
        if not moved((first,), (second,), self._scene.nows):
            return False
        mark = Mark("timestamp")
        self._findings.excuse(write_body(path), a, b, [mark], element_of(path, self._kind), holder_of(path))
        return True

    def _repeated(self, path: Path, a: object, b: object) -> None:
        if isinstance(b, Repeated):
            self.add(path, "added", None, b)
        else:
            self.add(path, "removed", a, None)

    def _objects(self, path: Path, a: dict[str, object], b: dict[str, object]) -> None:
        self._budget.spend(len(a))
        gone = []
        for name, x in a.items():
            y = b.get(name, _MISSING)
            if x is y:
                continue
            if y is _MISSING:
                gone.append(name)
            elif type(x) is not type(y) or type(x) is not str or x != y:
                self.values((*path, name), x, y)
        if gone or len(b) > len(a):
            self._one_sided(path, a, b, gone)

    def _one_sided(self, path: Path, a: dict[str, object], b: dict[str, object], gone: list[str]) -> None:
        """Keys of one side only; keys that are ids or stamps themselves may stand for one another."""
        new = [name for name in b if name not in a]
        if len(gone) == len(new) <= _MAX_FRESH_KEYS:
            for name, other in list(zip(gone, new, strict=True)):
                if self._is_fresh_key((*path, name), name, other, (a[name], b[other])):
                    gone.remove(name)
                    new.remove(other)
                    self.values((*path, name), a[name], b[other])
        for name in gone:
            self.add((*path, name), "removed", a[name], None)
        for name in new:
            self.add((*path, name), "added", None, b[name])

    def _is_fresh_key(self, path: Path, name: str, other: str, values: tuple[object, object]) -> bool:
        if len(name) < _MIN_FRESH_KEY or self._is_ignored(path, *values):
            return False
        holder = tuple(word.removesuffix("s") for word in name_words(path[:-1], self._kind))
        marks = explain(name, other, Name((*holder, "id"), True, in_body=True), self._scene)
        if not marks:
            return False
        self._findings.excuse(write_body(path), name, other, marks, path, path)
        return True

    def _elements(self, path: Path, a: Element, b: Element) -> None:
        if a.tag != b.tag:
            self.add(path, "type", a, b)
            return
        hint = " ".join(
            str(a.attributes.get(name, "")) for name in ("@name", "@property", "@id", "@http-equiv")
        )
        for name in dict.fromkeys((*a.attributes, *b.attributes)):
            if name not in b.attributes:
                self.add((*path, name), "removed", a.attributes[name], None)
            elif name not in a.attributes:
                self.add((*path, name), "added", None, b.attributes[name])
            else:
                own = hint if name in ("@value", "@content") else ""
                self.values((*path, name), a.attributes[name], b.attributes[name], own)
        self._lists(path, a.children, b.children, _steps(a.children), _steps(b.children))

    def _lists(
        self,
        path: Path,
        a: list[object],
        b: list[object],
        step_a: Steps,
        step_b: Steps,
        *,
        ordered: bool = True,
    ) -> None:
        if len(path) > _MAX_DEPTH:
            if not same(a, b, self._budget):
                self.add(path, "value", a, b)
            return
        start, end_a, end_b = self._unlike(a, b)
        left, right = a[start:end_a], b[start:end_b]
        if not left and not right:
            return
        levels = (
            self._level(path, left, lambda i: step_a(start + i), "primary"),
            self._level(path, right, lambda j: step_b(start + j), "copy"),
        )
        for i, j in self._pair(path, left, right, levels, ordered=ordered):
            if i is None:
                assert j is not None
                self.add((*path, step_b(start + j)), "added", None, right[j])
            elif j is None:
                self.add((*path, step_a(start + i)), "removed", left[i], None)
            else:
                inner, other = (*path, step_a(start + i)), step_b(start + j)
                if inner[-1] != other:
                    self._shifted[inner] = other
                self.values(inner, left[i], right[j])

    def _unlike(self, a: list[object], b: list[object]) -> tuple[int, int, int]:
        """Where two lists begin to be unlike, and where each ends to be."""
        start, end_a, end_b = 0, len(a), len(b)
        while start < end_a and start < end_b and same(a[start], b[start], self._budget):
            start += 1
        while end_a > start and end_b > start and same(a[end_a - 1], b[end_b - 1], self._budget):
            end_a, end_b = end_a - 1, end_b - 1
        return start, end_a, end_b

    def _level(self, path: Path, elements: list[object], step: Steps, side: Side) -> list[Level]:
        """The elements as the policy sees them, by which they are paired."""
        leveling = Leveling(self._policy, side, self._budget, tolerant=self._unordered(path) is not None)
        if leveling.changes_nothing:
            return [Level(element) for element in elements]
        return [leveling.of((*path, step(i)), element) for i, element in enumerate(elements)]

    def _pair(
        self,
        path: Path,
        a: list[object],
        b: list[object],
        levels: tuple[list[Level], list[Level]],
        *,
        ordered: bool,
    ) -> Pairs:
        by = self._unordered(path)
        if by is not None:
            if isinstance(by, str):
                pairs = pair_by_key(a, b, by, levels, self._budget)
            else:
                pairs = pair_any_order(*levels, self._budget)
            if any(None not in (i, j) and i != j for i, j in pairs):
                self._findings.set_aside("body" if self._kind == "text" else write_body(path), "unordered")
            return pairs
        if not a or not b:
            return [*((i, None) for i in range(len(a))), *((None, j) for j in range(len(b)))]
        first, second = (keyed(side, self._budget) for side in levels)
        for mine, others in zip(first, second, strict=True):
            if ordered and _is_reordered(mine, others):
                self.add(path, "order", a, b)
                return pair_equal(mine, others)
        if len(a) == len(b) and all(
            likeness(x.value, y.value, self._budget) >= _POSITIONAL for x, y in zip(*levels, strict=True)
        ):
            return [(i, i) for i in range(len(a))]
        return align(
            first,
            second,
            lambda i, j: likeness(levels[0][i].value, levels[1][j].value, self._budget),
            self._budget,
        )

    def _unordered(self, path: Path) -> str | bool | None:
        for expression, by in self._policy.unordered:
            if expression.is_at(path):
                if self._use is not None:
                    self._use.mark(expression)
                return by or None
        return None

    def _scalars(self, path: Path, a: object, b: object, hint: str) -> None:
        self._budget.spend(
            _SCALAR + (len(a) + len(b)) // 2 if isinstance(a, str) and isinstance(b, str) else _SCALAR
        )
        if self._is_ignored(path, a, b):
            return
        place = write_body(path)
        if self._is_tolerated(path, a, b):
            self._findings.set_aside(place, "tolerance")
            return
        x, y = self._written_alike(a, b)
        if x == y:
            self._findings.set_aside(place, "equivalent")
            return
        if (held := _read_held(x, y)) is not None:
            self._held(path, *held)
            return
        marks = explain(x, y, self._name(path, hint), self._scene)
        if not marks:
            self._findings.differ(place, "value", a, b)
        else:
            self._findings.excuse(place, a, b, marks, element_of(path, self._kind), holder_of(path))

    def _held(self, path: Path, a: object, b: object) -> None:
        """Compares the JSON that two texts hold; where it is the same, they only write it in two ways."""
        before = len(self._findings)
        self.values(path, a, b)
        if len(self._findings) == before:
            self._findings.set_aside(write_body(path), "notation")

    def _written_alike(self, a: object, b: object) -> tuple[object, object]:
        if isinstance(a, str) and isinstance(b, str):
            return self._policy.level(a, "primary"), self._policy.level(b, "copy")
        return a, b

    def _is_tolerated(self, path: Path, a: object, b: object) -> bool:
        for expression, bound in self._policy.tolerance:
            if expression.covers(path):
                if self._use is not None:
                    self._use.mark(expression)
                return is_within(a, b, bound)
        return False

    def _name(self, path: Path, hint: str) -> Name:
        kept = bool(element_of(path, self._kind)) or is_in_content(path)
        return Name(name_words(path, self._kind, hint), kept, in_body=True)

    def add(self, path: Path, change: DifferenceKind, a: object, b: object) -> None:
        """Notes a difference, unless the policy says that its place does not matter."""
        if not self._is_ignored(path, a, b):
            told = self._of_copy(path) if change == "added" and self._shifted else path
            self._findings.differ(write_body(told), change, a, b)

    def _of_copy(self, path: Path) -> Path:
        """The path as the copy has it, where elements before it were added or removed."""
        outer = (self._shifted.get(path[: at + 1], path[at]) for at in range(len(path) - 1))
        return (*outer, path[-1])

    def _is_ignored(self, path: Path, *values: object) -> bool:
        """Whether the policy says that what is at a path, on either side, does not matter."""
        for expression in self._policy.ignore:
            if expression.part == "body" and expression.covers(path):
                if self._use is not None:
                    self._use.mark(expression)
                self._findings.set_aside(write_body(path), "ignore")
                return True
        if not self._policy.only:
            return False
        if self._use is not None:
            for expression in self._policy.only:
                if expression.part == "body" and expression.covers(path):
                    self._use.mark(expression)
        if any(contains(path, value, self._policy) for value in values):
            return False
        self._findings.set_aside(write_body(path), "only")
        return True


def name_words(path: Path, body_kind: str, hint: str = "") -> tuple[str, ...]:
    """The words that name what is at a path: its own, and those of what it is in where it is called just
    `id`."""
    if hint:
        return names.words(hint)
    keys = [step.name if isinstance(step, Tag) else step for step in path if not isinstance(step, int)]
    own = [k for k in keys[-3:] if k != "text()" and not isinstance(k, Whole)]
    if not own:
        return ()
    last = names.words(own[-1])
    if body_kind == "html" or len(own) < 2 or not set(last) <= names.IDS | names.LENGTHS:
        return last
    if not set(last) <= names.IDS:
        return (*names.words(own[-2]), *last) if names.holds_measurements(names.words(own[-2])) else last
    parent = tuple(word.removesuffix("s") for word in names.words(own[-2]))
    return (
        last
        if names.PLAIN.issuperset(parent) or names.PLAIN.issuperset(names.words(own[-2]))
        else (*parent, *last)
    )


def _read_held(a: object, b: object) -> tuple[object, object] | None:
    """The JSON objects or lists that two texts hold in the same way; None where they hold something else."""
    if not isinstance(a, str) or not isinstance(b, str):
        return None
    first, second = _HELD.fullmatch(a), _HELD.fullmatch(b)
    if first is None or second is None or first[1] != second[1] or first[3] != second[3]:
        return None
    try:
        return read_json(first[2]), read_json(second[2])
    except ValueError:
        return None


def _line(index: int) -> Step:
    return Whole(f"line {index + 1}")


def _steps(children: list[object]) -> Steps:
    """The steps to the children of an element."""
    return steps_of([child.name if isinstance(child, Element) else "" for child in children]).__getitem__


def _is_reordered(first: Sequence[Hashable], second: Sequence[Hashable]) -> bool:
    """Whether two lists of keys are the same in another order."""
    return first != second and len(first) == len(second) and Counter(first) == Counter(second)
