"""Local names: what the words around a piece of a text call it."""

from __future__ import annotations

import re

from traffic_mirror.compare import names
from traffic_mirror.compare.ids import Name

_KEY = re.compile(
    r"((?:\b[A-Za-z]{2,20}[.!]? (?=(?:id|ID|Id|ref|[Rr]eference|number|no)\W))?[A-Za-z_][\w-]{0,39})"
    r"[\"']?\s*(?:[:=]|=>)\s*[\"'\[({<]{0,2}$"
)
_SEGMENT = re.compile(r"/([A-Za-z][\w-]{0,39})/$")

_BUILT = re.compile(r"\.(?:min\.)?(?:css|m?js|map|woff2?)\b")
_BUILDS = re.compile(r"(?:/[\w.~-]{1,80}){1,8}\.(?:m?js|css|map|woff2?)(?![\w.])")
"""What follows the name of a build in the path of a file that was built."""

_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}\b(?!\.)")


def local_name(said: str, after: str, outer: Name) -> Name:
    """What the words around a piece call it; the place's own name where nothing is said before it."""
    if _BUILT.match(after):
        return outer._replace(words=("hash",))
    if said.endswith("/") and _BUILDS.match(after):
        return outer._replace(words=("build", "id"))
    if _FILE.match(after) and said.endswith("/"):
        return outer._replace(words=("file", "id"))
    if not any(c.isalpha() for c in said) or said.endswith(("urn:uuid:", "urn:")):
        return outer
    if found := _KEY.search(said):
        key = names.words(found[1])
        signed = names.is_signature(outer.words) and names.is_scheme(key)
        return outer if signed else outer._replace(words=key)
    if found := _SEGMENT.search(said):
        thing = names.words(found[1])
        singular = tuple(word.removesuffix("s") for word in thing)
        return outer._replace(words=(*singular, "id") if not names.is_fresh(singular) else singular)
    kept = outer.words if names.is_content(outer.words) else ()
    return outer._replace(words=(*kept, *names.words(said[-24:])[-3:]))
