"""Environment variables in a spec's text: `${NAME}` and `${NAME:-default}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\})?")


class BadReferenceError(ValueError):
    """A reference that can't be replaced; `found` and `expected` say why, without any value."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected


def substitute(text: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]] | None:
    """`text` with its references replaced, and the environment's values that are now in it; None without any.

    `$${` stands for a plain `${`. A default is taken where the variable is unset or empty, as a shell does.
    Raises BadReferenceError for a missing variable and for a reference that is none.
    """
    if "${" not in text:
        return None
    values: list[str] = []

    def replace(match: re.Match[str]) -> str:
        whole, name, default = match[0], match[1], match[2]
        if whole.startswith("$$"):
            return whole[1:]
        if name is None:
            raise BadReferenceError('"${" without a name', "${NAME} or ${NAME:-default} ($${ for a plain ${)")
        value = environ.get(name, "" if default is not None else None)
        if value is None:
            raise BadReferenceError(
                f"no environment variable {name}", f"it to be set, or ${{{name}:-default}}"
            )
        if not value and default is not None:
            return default[2:]
        if value:
            values.append(value)
        return value

    return _REFERENCE.sub(replace, text), tuple(values)
