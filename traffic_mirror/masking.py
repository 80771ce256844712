"""What must never be shown, and how it is hidden: secrets of the spec, credentials, cookies."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote

MASK = "***"
SENSITIVE_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "authentication-info", "cookie", "set-cookie", "set-cookie2"}
)

_LEAST_TOKEN = 12  # a shorter part of a credential (a cookie's `lang=en`) is a word like any other
_SHORTEST = 4  # a shorter value (a port, "on") would be found everywhere and hide nothing
_PARTS = re.compile(r"""[\s;,="]+""")
_USER_INFO = re.compile(r"(?<=://)[^/?#@\s]+@")
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")  # what no notation escapes
_ESCAPE = re.compile(r"%[0-9A-F]{2}")


class Masker:
    """Hides `secrets`, as they are and as URLs, JSON and HTML write them, and user info in URLs."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._also: tuple[str, ...] = ()
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """`text` with what must not be shown replaced by `***`."""
        if "@" in text:
            text = _USER_INFO.sub(MASK + "@", text)
        if self._secrets is not None:
            text = self._secrets.sub(MASK, text)
        for found in self._also:
            text = text.replace(found, MASK)
        return text

    def also(self, found: Iterable[str]) -> Masker:
        """A masker that hides these too, for one use: nothing is compiled for them."""
        other = Masker()
        other._secrets = self._secrets
        other._also = tuple(sorted(set(found), key=len, reverse=True))
        return other

    def value(self, value: object) -> object:
        """The same within a JSON-like value, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.value(key): self.value(item) for key, item in value.items()}
        return value

    def at(self, place: str, value: object) -> object:
        """A difference's value at `place`; a credential's header shows nothing of it."""
        if value is not None and is_sensitive(place):
            return MASK
        return self.value(value)


def is_sensitive(place: str) -> bool:
    """Whether a place (`header:Set-Cookie`) holds credentials."""
    part, _, name = place.partition(":")
    return part == "header" and name.lower() in SENSITIVE_HEADERS


def credentials_in(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    """The values of credentials' headers, and the long tokens in them, however they may be written.

    >>> sorted(credentials_in([(b"Cookie", b"lang=en; sid=0123456789abcdef")]))
    ['0123456789abcdef', 'lang=en; sid=0123456789abcdef']
    """
    for name, value in headers:
        if len(name) >= 6 and name.decode("latin-1").lower() in SENSITIVE_HEADERS:
            yield from _shown_forms(value)


@lru_cache(maxsize=512)  # the same client comes again, and each copy asks for four sides' credentials
def _shown_forms(credential: bytes) -> tuple[str, ...]:
    value = credential.decode("latin-1").strip()
    found = [value] if len(value) >= _SHORTEST else []
    for part in _PARTS.split(value):
        for token in {part, unquote(part)}:  # cookies hold their values encoded, applications decoded
            if len(token) >= _LEAST_TOKEN:
                found += _forms(token)
    return tuple(found)


def _forms(secret: str) -> Iterator[str]:
    """A secret as it is, and as URLs, JSON and HTML write it."""
    yield secret
    if _PLAIN.fullmatch(secret):
        return
    for encoded in (quote(secret, safe=""), quote(secret, safe="/"), quote_plus(secret)):
        yield encoded
        yield _ESCAPE.sub(lambda found: found[0].lower(), encoded)
    for ascii_only in (True, False):
        quoted = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield quoted
        yield quoted.replace("/", "\\/")
    yield html.escape(secret)
    yield html.escape(secret, quote=False)
