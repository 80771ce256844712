"""Links: two URLs with queries, and what in them only keeps a cache from answering."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_plus

from traffic_mirror.compare import names
from traffic_mirror.compare.ids import Mark, Name
from traffic_mirror.compare.scene import Scene

type ExplainText = Callable[[str, str, Name, Scene, int], list[Mark] | None]

_LEAST = 3  # characters of a stamp
_ASSET = re.compile(r"\.(?:css|m?js|ico|woff2?|ttf|map)\?[^\"'\s?]*$", re.IGNORECASE)
_BUSTERS = {"", "v", "ver", "version", "cb", "t", "ts", "rev", "r", "h", "hash", "build", "bust", "cache"}
_RANDOM_KEYS = {"cb", "cachebuster", "cache_buster", "cachebust", "nocache", "rnd", "rand", "random", "ord"}
_BUST_KEY = re.compile(r"[?&;]([\w-]*)=?$")
_QUERY = re.compile(r"[^\s?\"'<>]*\?[\w.~%+-]+=[^\s\"'<>]*")


def are_links(a: str, b: str) -> bool:
    """Whether both texts are a URL or path with a query, and nothing else."""
    return bool(_QUERY.fullmatch(a) and _QUERY.fullmatch(b))


def busts_cache(said: str) -> bool:
    """Whether what follows `said` is the value of a key that only keeps caches from answering."""
    key = _BUST_KEY.search(said) if _ASSET.search(said) else None
    return key is not None and key[1].lower().strip("_") in _BUSTERS


def explain_link(
    a: str, b: str, name: Name, scene: Scene, depth: int, explain_text: ExplainText
) -> list[Mark] | None:
    """Two links with queries: what comes before, then each key's value by itself."""
    first, second = a.partition("?"), b.partition("?")
    pairs = [[part.partition("=")[::2] for part in side[2].split("&")] for side in (first, second)]
    if [key for key, _ in pairs[0]] != [key for key, _ in pairs[1]]:
        return None
    marks: list[Mark] = []
    if first[0] != second[0]:
        before = explain_text(first[0], second[0], name, scene, depth)
        if not before:
            return None
        marks += before
    for (key, x), (_, y) in zip(*pairs, strict=True):
        if x != y:
            found = _explain_parameter(
                first[0], key, unquote_plus(x), unquote_plus(y), name, scene, depth, explain_text
            )
            if not found:
                return None
            marks += found
    return marks


def _explain_parameter(
    path: str, key: str, x: str, y: str, name: Name, scene: Scene, depth: int, explain_text: ExplainText
) -> list[Mark] | None:
    if x == y:
        return [Mark("notation")]
    if key.lower().strip("_") in _RANDOM_KEYS and _are_stamp_like(x, y):
        return [Mark("cache_buster")]
    found = explain_text(x, y, name._replace(words=names.words(key)), scene, depth + 1)
    if (
        not found
        and _ASSET.search(path + "?")
        and key.lower().strip("_") in _BUSTERS
        and _are_stamp_like(x, y)
    ):
        return [Mark("cache_buster")]
    return found


def _are_stamp_like(x: str, y: str) -> bool:
    return all(len(text) >= _LEAST and text.isalnum() and not text.isalpha() for text in (x, y))
