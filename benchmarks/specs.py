"""The specs that the mirror is measured with, as its users would write them."""

from __future__ import annotations

import json
from collections.abc import Sequence

PATH = "/items/42?x=1"  # what the load asks for

_SHAPES = (
    "/v{v}/r{n}/{{id}}",
    "/v{v}/r{n}/{{id}}/parts/{{part}}",
    "/r{n}/static/page",
    "/r{n}/{{part}}.json",
)
_OTHER_PATHS = ("/users/{id}", "/orders/{id}/lines", "/search", "/health/live")


def mirror_all(ports: Sequence[int], *, compare: bool = False) -> str:
    """Every request to each of these ports; four other rules come first, as in a real spec."""
    return _spec("/items/{id}", [_url(port) for port in ports], compare=compare)


def mirror_to(url: str, timeout: str = "5s") -> str:
    """Every request to this URL, as `mirror_all` does."""
    return _spec("/items/{id}", [url], timeout=timeout)


def mirror_none(ports: Sequence[int]) -> str:
    """Rules of which none takes what the load asks for."""
    return _spec("/never/asked", [_url(port) for port in ports])


def many_rules(count: int, port: int) -> str:
    """`count` rules with templates of four shapes, spread over APIs; JSON, which is YAML too."""
    apis = [
        {
            "name": f"api-{number}",
            "listen_path": f"/api-{number}/",
            "traffic_mirror": [{"path": path, "method": "GET", "destinations": ["shadow"]} for path in paths],
        }
        for number, paths in enumerate(_paths_of_apis(count))
    ]
    destinations = {"shadow": {"url": f"http://127.0.0.1:{port}"}}
    return json.dumps({"version": 1, "destinations": destinations, "apis": apis}, indent=1)


def many_targets(count: int) -> list[str]:
    """For each rule of `many_rules(count)` a path that it takes."""
    return [
        f"/api-{number}{path.format(id=7919 * index % 100_000, part=f'x{index}')}"
        for number, paths in enumerate(_paths_of_apis(count))
        for index, path in enumerate(paths)
    ]


def _paths_of_apis(count: int) -> list[list[str]]:
    """Twenty APIs, or as many as have some of every shape: few rules are then like many, only fewer."""
    apis = min(20, max(1, count // len(_SHAPES)))
    return [_many_paths(number, count // apis + (number < count % apis)) for number in range(apis)]


def _many_paths(api: int, count: int) -> list[str]:
    return [_SHAPES[n % len(_SHAPES)].format(v=api % 5, n=n) for n in range(count)]


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _spec(path: str, urls: Sequence[str], *, compare: bool = False, timeout: str = "5s") -> str:
    names = [f"shadow-{number}" for number in range(len(urls))]
    destinations = {name: {"url": url, "timeout": timeout} for name, url in zip(names, urls, strict=True)}
    rules: list[dict[str, object]] = [{"path": other, "destinations": names} for other in _OTHER_PATHS]
    rules.append({"path": path, "destinations": names, **({"compare": True} if compare else {})})
    apis = [{"name": "bench", "traffic_mirror": rules}]
    return json.dumps({"version": 1, "destinations": destinations, "apis": apis}, indent=1)
