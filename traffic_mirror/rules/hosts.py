"""Hosts: which of the host patterns in a spec a request's host fits."""

from __future__ import annotations

from collections.abc import Iterable

ANY = ""


def normalise(host: str) -> str:
    """A host as it is compared: lower case, without port, brackets or a last dot, names in ASCII."""
    host = host.strip().lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    host = host.removesuffix(".")
    return host if host.isascii() else _ascii(host)


def fits(host: str, pattern: str) -> bool:
    """Whether a host fits a pattern, both normalised: a name, `*.name` (not `name` itself) or ANY."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) >= len(pattern)
    return pattern in (ANY, host)


def normalise_pattern(pattern: str) -> str:
    """A host pattern of a spec, ready to be compared; `*` alone fits any host."""
    if pattern.startswith("*."):
        return "*." + normalise(pattern[2:])
    return ANY if pattern == "*" else normalise(pattern)


class HostIndex:
    """Finds the patterns a host fits; their number does not matter, only the host's labels do."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._tokens = {pattern: b"%d " % number for number, pattern in enumerate(dict.fromkeys(patterns))}
        self._any = (self._tokens[ANY],) if ANY in self._tokens else ()
        self._only_any = len(self._any) == len(self._tokens)
        self._wildcards = any(pattern.startswith("*.") for pattern in self._tokens)

    def token(self, pattern: str) -> bytes:
        """What stands for a pattern in the subjects that are looked up in a set."""
        return self._tokens[pattern]

    def tokens(self, host: str) -> tuple[bytes, ...]:
        """The tokens of all patterns that `host`, as it came, fits."""
        if self._only_any:
            return self._any
        host = normalise(host)
        exact = self._tokens.get(host) if host else None
        found = self._any if exact is None else (*self._any, exact)
        return found + self._above(host) if self._wildcards else found

    def _above(self, host: str) -> tuple[bytes, ...]:
        found = []
        dot = host.find(".", 1)
        while dot != -1:
            token = self._tokens.get("*" + host[dot:])
            if token is not None:
                found.append(token)
            dot = host.find(".", dot + 1)
        return tuple(found)


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host
