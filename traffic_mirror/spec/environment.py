"""Environment variables in a spec's text: `${NAME}` and `${NAME:-default}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\})?")


class BadReferenceError(ValueError):
    """References that can't be replaced. `faults`: what was found and what is expected, without any value."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__(faults)
        self.faults = faults


def substitute(text: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]] | None:
    """`text` with its references replaced, and the environment's values that are now in it; None without any.

    `$${` stands for a plain `${`. A default is taken where the variable is unset or empty, as a shell does.
    Raises BadReferenceError for every missing variable and every reference that is none.
    """
    if "${" not in text:
        return None
    values: list[str] = []
    faults: dict[tuple[str, str], None] = {}

    def replace(match: re.Match[str]) -> str:
        whole, name, default = match[0], match[1], match[2]
        if whole.startswith("$$"):
            return whole[1:]
        if name is None:
            faults['"${" without a name', "${NAME} or ${NAME:-default} ($${ for a plain ${)"] = None
            return ""
        value = environ.get(name, "" if default is not None else None)
        if value is None:
            faults[f"no environment variable {name}", f"it to be set, or ${{{name}:-default}}"] = None
            return ""
        if not value and default is not None:
            return default[2:]
        if value:
            values.append(value)
        return value

    replaced = _REFERENCE.sub(replace, text)
    if faults:
        raise BadReferenceError(*faults)
    return replaced, tuple(values)
