"""A fault: one real difference that is put into one side's reply, and where it must be found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from tests.compare.examiner.reply import Json, Reply

Change = Callable[[Json], Json]


class Fault(NamedTuple):
    """`place` is what the place of each difference must begin with, `most` how many it may make; `then` is
    where more may follow from it."""

    kind: str
    place: str
    change: Callable[[Reply], None]
    most: int = 1
    then: str = ""

    def is_at(self, place: str) -> bool:
        """Whether a difference at this place is this fault's own."""
        return place.lower().startswith(self.place.lower())

    def explains(self, place: str) -> bool:
        """Whether a difference at this place comes of this fault."""
        return self.is_at(place) or bool(self.then and place.startswith(self.then))


def put(kind: str, *path: str | int, to: Change, most: int = 1) -> Fault:
    """Another value at `path` of a JSON body."""

    def change(reply: Reply) -> None:
        holder = _holder(reply, path)
        holder[path[-1]] = to(holder[path[-1]])

    return Fault(kind, _place(path), change, most)


def drop(kind: str, *path: str | int) -> Fault:
    """No value at `path`; a list's element is missing somewhere in the list."""

    def change(reply: Reply) -> None:
        del _holder(reply, path)[path[-1]]

    return Fault(kind, _place(path[:-1] if isinstance(path[-1], int) else path), change)


def grow(kind: str, *path: str | int, key: str | int, value: Json) -> Fault:
    """One more value in the object or list at `path`."""

    def change(reply: Reply) -> None:
        holder = _holder(reply, (*path, 0))
        if isinstance(holder, list):
            holder.insert(int(key), value)
        else:
            holder[key] = value

    return Fault(kind, _place(path), change)


def text(kind: str, old: str, new: str | Callable[[re.Match[str]], str], *, most: int = 1) -> Fault:
    """What the expression `old` finds first in a text body becomes `new`."""

    def edit(body: str) -> str:
        changed, count = re.subn(old, new, body, count=1)
        assert count, f"{old!r} is not in {body!r}"
        return changed

    return Fault(kind, "body:", lambda reply: reply.edits.append(edit), most)


def header(kind: str, name: str, to: Callable[[str], str]) -> Fault:
    """Another value of the first header `name`."""

    def change(reply: Reply) -> None:
        index = next(i for i, (key, _) in enumerate(reply.headers) if key == name)
        reply.headers[index] = (name, to(reply.headers[index][1]))

    return Fault(kind, f"header:{name}", change)


def media_type(kind: str, to: str) -> Fault:
    """Another `Content-Type` for the same bytes."""

    def change(reply: Reply) -> None:
        reply.type = to

    return Fault(kind, "header:Content-Type", change, then="body:")


def lose_header(kind: str, name: str) -> Fault:
    """Without the first header `name`."""

    def change(reply: Reply) -> None:
        reply.headers.remove(next(pair for pair in reply.headers if pair[0] == name))

    return Fault(kind, f"header:{name}", change)


def add_header(kind: str, name: str, value: str) -> Fault:
    """With one more header."""
    return Fault(kind, f"header:{name}", lambda reply: reply.headers.append((name, value)))


def status(kind: str, code: int) -> Fault:
    """Another status."""

    def change(reply: Reply) -> None:
        reply.status = code

    return Fault(kind, "status", change)


def _holder(reply: Reply, path: tuple[str | int, ...]) -> Json:
    holder = reply.body
    for step in path[:-1]:
        holder = holder[step]
    return holder


def _place(path: tuple[str | int, ...]) -> str:
    """As a verdict writes it, as far as the keys are plain words."""
    place = "body:$"
    for step in path:
        if isinstance(step, int):
            place += f"[{step}]" if step >= 0 else "["
        elif re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]*", step):
            place += f".{step}"
        else:
            break
    return place
