"""Listen paths: where an API begins, and what of a request's path comes after it."""

from __future__ import annotations

from traffic_mirror.spec.pattern import compile_expression, decode_text, parse_template, whole


class Listen:
    """A listen path, with or without its last slash the same; it may hold variables as templates do.

    `regex` is RE2 text that matches it without its last slash; `exact` says that it matches nothing more;
    `segments` are as a template's.
    """

    __slots__ = ("_base", "_expression", "_slashes", "exact", "path", "regex", "root", "segments")

    def __init__(self, path: str, ignore_case: bool) -> None:
        base = path.removesuffix("/")
        template = parse_template(base)
        varies = not template.literal or ignore_case
        self.path = path
        self.root = not base
        self.regex = template.regex
        self.exact = not template.constrained
        self.segments = template.segments
        self._slashes = template.slashes
        self._base = decode_text(base).encode()
        self._expression = compile_expression(whole(template.regex), ignore_case) if varies else None

    def below(self, path: bytes) -> bytes | None:
        """What comes after the listen path, from its `/` on; None where `path` (decoded) is elsewhere.

        Below `/users/` are `/users` (as `/`) and `/users/1`, not `/users-1`.
        """
        if self.root:
            return path
        if self._expression is None:
            length = len(self._base) if path.startswith(self._base) else -1
        else:
            head = path.split(b"/", self._slashes + 1)[: self._slashes + 1]
            length = sum(map(len, head)) + len(head) - 1
            if self._expression.search(path[:length]) is None:
                return None
        if length < 0:
            return None
        rest = path[length:]
        if not rest:
            return b"/"
        return rest if rest[0] == 0x2F else None
