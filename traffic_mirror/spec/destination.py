"""Destinations: from their nodes to values, and the table of all that a spec has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec

from traffic_mirror.spec import reading as read
from traffic_mirror.spec.model import CircuitBreaker, Destination, HttpVersion, Queue, Redact, Tls
from traffic_mirror.spec.node import Node
from traffic_mirror.spec.problems import quote, show
from traffic_mirror.spec.reading import Field, Reading, children, collect
from traffic_mirror.spec.schema import did_you_mean
from traffic_mirror.spec.url import Url, check_proxy, parse_url, split_authority

_LARGEST_FILE = 1024 * 1024


def build_destination(node: Node, name: str, reading: Reading) -> Destination | None:
    """A destination from its mapping, or None where its URL is wrong. Nameless, its URL names it."""
    values = collect(node, _FIELDS, reading)
    url: Url | None = values.pop("url", None)
    if url is None:
        return None
    if target := values.pop("connect_to", None):
        values["connect_to"] = f"{target[0]}:{target[1] or url.port}"
    _check_together(node, url, values, reading)
    return make_destination(url, name, values)


class Destinations:
    """All destinations of a spec: the named ones, then those that rules write out themselves."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._all: list[Destination] = []
        self._named: dict[str, int | None] = {}
        self._places: dict[str, str] = {}
        self._written: dict[Destination, int] = {}
        self._names: set[str] = set()
        self._made: dict[str, int] = {}
        self._unreadable = False

    def take(self, section: Node) -> None:
        """Takes the named destinations of a document."""
        self._unreadable = self._unreadable or section.bad
        for node in children(section).values():
            self._name(node)

    def _name(self, node: Node) -> None:
        name = str(node.key)
        if name in self._named:
            found = f"the destination {quote(name)} again (first at {self._places[name]})"
            self._reading.problems.at_key(node, "every name once", found)
            return
        self._places[name] = f"{node.file}:{node.key_position[0]}"
        destination = None if node.bad else build_destination(node, name, self._reading)
        self._named[name] = None if destination is None else self._append(destination)

    def resolve(self, node: Node) -> int | None:
        """The index of what a rule names or writes out, or None where it is wrong."""
        if isinstance(node.value, dict):
            destination = build_destination(node, "", self._reading)
            return None if destination is None else self.write(destination)
        name = node.text
        if "://" in name:
            url = read_url(node, self._reading)
            return None if url is None else self.write(make_destination(url, "", {}))
        if self._unreadable and name not in self._named:
            return None  # it may be among what could not be read
        if name not in self._named:
            hint = did_you_mean(name, self._named, self._reading.problems)
            expected = f"a destination's name{hint} or a URL"
            self._reading.problems.at(node, expected, f"the unknown destination {show(node)}")
            return None
        return self._named[name]

    def write(self, destination: Destination) -> int:
        """Equal destinations are one; different ones of the same URL are told apart by a number."""
        if destination not in self._written:
            name, again = destination.name, self._made.get(destination.name, 1)
            while name in self._names:
                again += 1
                name = f"{destination.name}#{again}"
            self._made[destination.name] = again
            self._written[destination] = self._append(msgspec.structs.replace(destination, name=name))
        return self._written[destination]

    def __getitem__(self, index: int) -> Destination:
        return self._all[index]

    def all(self) -> tuple[Destination, ...]:
        """Every destination, by index."""
        return tuple(self._all)

    def _append(self, destination: Destination) -> int:
        self._all.append(destination)
        self._names.add(destination.name)
        return len(self._all) - 1


def redact(node: Node, reading: Reading) -> Redact:
    """What is masked in a copy."""
    return Redact(**collect(node, _REDACT, reading))


def make_destination(url: Url, name: str, values: dict[str, Any]) -> Destination:
    """A destination from its URL and other fields; user info becomes Authorization where none is set."""
    headers = values.pop("headers", ())
    if url.authorization and not any(key.lower() == "authorization" for key, _ in headers):
        headers = (*headers, ("Authorization", url.authorization))
    return Destination(
        name=name or url.shown,
        url=url.origin,
        scheme=url.scheme,
        hostname=url.hostname,
        port=url.port,
        base_path=url.base_path,
        base_query=url.base_query,
        unix_socket=url.unix_socket,
        headers=headers,
        **values,
    )


def read_url(node: Node, reading: Reading) -> Url | None:
    """A destination's URL, or None where it is wrong."""
    try:
        url = parse_url(node.text)
    except ValueError as error:
        reading.problems.at(node, f"a destination's URL ({error})")
        return None
    reading.secrets.update(dict.fromkeys(_secrets(node, url)))
    return url


def _secrets(node: Node, url: Url) -> Iterator[str]:
    """What the environment put into a URL, but for its address: people must see where copies go."""
    for value in node.secrets or ():
        if value not in url.shown:
            yield value
        yield from (part for part in url.private if part in value)


def _proxy(node: Node, reading: Reading) -> str:
    """A proxy's URL; empty where copies go directly, whatever way the proxy's own requests go."""
    if read.text(node, reading) == "direct":
        return ""
    try:
        check_proxy(node.text)
    except ValueError as error:
        reading.problems.at(node, f"a proxy's URL ({error})")
    return read.text(node, reading)


def _host(node: Node, reading: Reading) -> str:
    value = read.text(node, reading)
    if value not in ("destination", "preserve"):
        _authority(node, reading)
    return value


def _authority(node: Node, reading: Reading) -> tuple[str, int | None]:
    try:
        return split_authority(read.text(node, reading))
    except ValueError as error:
        reading.problems.at(node, f"a host with an optional port ({error})")
        return "", None


def _http_version(node: Node, _reading: Reading) -> HttpVersion:
    value = node.value
    return cast("HttpVersion", value if isinstance(value, str) else f"{value:g}")


def _failures(node: Node, reading: Reading) -> float:
    share = read.number(node, reading)
    if not share:
        reading.problems.at(node, "a number of more than 0 and at most 1")
    return share


def _pem(node: Node, reading: Reading) -> bytes:
    """A PEM file's content; a path that is not absolute starts where the spec is."""
    expected = "a readable PEM file"
    try:
        with (reading.base_dir / read.text(node, reading)).open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not a path").lower()
        reading.problems.at(node, expected, f"{quote(node.source)} ({reason})")
        return b""
    if len(data) > _LARGEST_FILE or b"-----BEGIN " not in data:
        reading.problems.at(node, expected, f"{quote(node.source)} (no PEM in it)")
    return data


def _tls(node: Node, reading: Reading) -> Tls:
    if "key_file" in children(node) and "cert_file" not in children(node):
        reading.problems.at_key(children(node)["key_file"], "a cert_file beside it", "a key_file alone")
    return Tls(**collect(node, _TLS, reading))


def _queue(node: Node, reading: Reading) -> Queue:
    return Queue(**collect(node, _QUEUE, reading))


def _circuit_breaker(node: Node, reading: Reading) -> CircuitBreaker:
    return CircuitBreaker(**collect(node, _CIRCUIT_BREAKER, reading))


def _check_together(node: Node, url: Url, values: dict[str, Any], reading: Reading) -> None:
    """Refuses settings that can't work with each other."""
    entries = children(node)
    if values.get("http_version") == "3":
        if url.scheme == "http":
            reading.problems.at(entries["http_version"], "an https URL with it", "HTTP/3 without TLS")
        elif values.get("proxy"):
            reading.problems.at(entries["proxy"], "no proxy with HTTP/3", "a proxy for HTTP/3")
    if url.unix_socket:
        for key in ("proxy", "connect_to"):
            if values.get(key):
                reading.problems.at_key(entries[key], "a URL with a host", f"{key} with a unix socket")


_TLS: dict[str, Field] = {
    "verify": ("verify", read.switch),
    "ca_file": ("ca", _pem),
    "cert_file": ("cert", _pem),
    "key_file": ("key", _pem),
    "server_name": ("server_name", read.text),
}
_QUEUE: dict[str, Field] = {
    "copies": ("copies", read.count),
    "bytes": ("bytes", read.size),
    "when_full": ("when_full", read.text),
}
_CIRCUIT_BREAKER: dict[str, Field] = {
    "failures": ("failures", _failures),
    "of": ("of", read.count),
    "within": ("within", read.duration),
    "open_for": ("open_for", read.duration),
}
_REDACT: dict[str, Field] = {
    "headers": ("headers", read.texts),
    "query": ("query", read.texts),
    "json": ("json", read.json_paths),
}
_FIELDS: dict[str, Field] = {
    "url": ("url", read_url),
    "timeout": ("timeout", read.duration),
    "sample_rate": ("sample_rate", read.number),
    "headers": ("headers", read.headers),
    "remove_headers": ("remove_headers", read.texts),
    "host": ("host", _host),
    "http_version": ("http_version", _http_version),
    "tls": ("tls", _tls),
    "proxy": ("proxy", _proxy),
    "connect_to": ("connect_to", _authority),
    "max_in_flight": ("max_in_flight", read.count),
    "queue": ("queue", _queue),
    "circuit_breaker": ("circuit_breaker", _circuit_breaker),
    "stream_buffer": ("stream_buffer", read.size),
    "max_response": ("max_response", read.size),
    "redact": ("redact", redact),
}
