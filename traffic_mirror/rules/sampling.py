"""Sampling: whether a request that a rule took is copied, and to which of its destinations."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from traffic_mirror.copies.request import Fields
from traffic_mirror.rules.ruleset import Route
from traffic_mirror.rules.target import read_path
from traffic_mirror.spec.model import Rule, SampleBy, Spec

Decision = tuple[str, ...]


class Sampler:
    """Decides by each rule's and destination's rate, at random or by a key that the request carries.

    `seed` makes chance repeatable, and is part of every key's hash; empty: chance is the system's, and
    keys hash alike everywhere. `clock` is monotonic, in seconds.
    """

    def __init__(self, seed: str, clock: Callable[[], float]) -> None:
        self._draw = random.Random(seed).random if seed else random.Random().random
        self._hash = blake2b(seed.encode() + b"\0", digest_size=8)
        self._clock = clock
        self._spec: Spec | None = None
        self._shares: dict[tuple[int, int], _Shares] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def draw(self, rate: float) -> bool:
        """Whether something that happens at `rate` (0 never, 1 always) happens now."""
        return rate >= 1.0 or self._draw() < rate

    def decide(self, route: Route, spec: Spec, headers: Fields, target: bytes, client: str) -> Decision:
        """One entry per destination: "" to send, else `rule_rate`, `rate_cap` or `destination_rate`.

        `client` is an address, with or without a port.
        """
        if spec is not self._spec:
            self._begin(spec)
        shares = self._shares.get((route.api_index, route.rule_index))
        if shares is None:
            shares = _shares(route.rule, spec)
            self._shares[route.api_index, route.rule_index] = shares
        if shares.certain is not None:
            return shares.certain
        key = _key(shares.by, headers, target, client) if shares.by is not None else None
        if not self._taken(shares.rate, "", key):
            return shares.by_rule
        if shares.cap is not None and not self._bucket(route).take(self._clock()):
            return shares.by_cap
        return tuple(
            "" if self._taken(rate, name, key) else "destination_rate" for name, rate in shares.destinations
        )

    def _taken(self, rate: float, name: str, key: bytes | None) -> bool:
        """By chance, or by a hash of the key and of whose rate it is: a destination's, "" is the rule's."""
        if rate >= 1.0 or rate <= 0.0:
            return rate >= 1.0
        if key is None:
            return self._draw() < rate
        place = self._hash.copy()
        place.update(name.encode() + b"\0" + key)
        return int.from_bytes(place.digest(), "big") < rate * 2.0**64

    def _begin(self, spec: Spec) -> None:
        """A new spec; the caps of rules that stay go on as they are."""
        names = {(api.name, rule.name): rule.max_rate for api in spec.apis for rule in api.rules}
        kept = {name: bucket for name, bucket in self._buckets.items() if names.get(name) == bucket.rate}
        self._spec, self._shares, self._buckets = spec, {}, kept

    def _bucket(self, route: Route) -> _Bucket:
        name = (route.api.name, route.rule.name)
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(route.rule.max_rate or 0.0, self._clock())
        return bucket


class _Shares(NamedTuple):
    """A rule's rates. `certain` is the decision where neither chance nor time has a part in it."""

    certain: Decision | None
    rate: float
    cap: float | None
    by: SampleBy | None
    destinations: tuple[tuple[str, float], ...]
    by_rule: Decision
    by_cap: Decision


def _shares(rule: Rule, spec: Spec) -> _Shares:
    destinations = tuple(
        (spec.destinations[index].name, spec.destinations[index].sample_rate) for index in rule.destinations
    )
    by_rule = ("rule_rate",) * len(destinations)
    certain: Decision | None = None
    if rule.sample_rate <= 0.0:
        certain = by_rule
    elif rule.sample_rate >= 1.0 and rule.max_rate is None and all(r in (0.0, 1.0) for _, r in destinations):
        certain = tuple("" if rate else "destination_rate" for _, rate in destinations)
    by_cap = ("rate_cap",) * len(destinations)
    return _Shares(certain, rule.sample_rate, rule.max_rate, rule.sample_by, destinations, by_rule, by_cap)


class _Bucket:
    """A token bucket: `rate` tokens a second, of which a second's worth, at least one, may be saved up."""

    __slots__ = ("_filled", "_full", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._full = max(1.0, rate)
        self._tokens = self._full
        self._filled = now

    def take(self, now: float) -> bool:
        """Takes a token if there is one."""
        self._tokens = min(self._full, self._tokens + (now - self._filled) * self.rate)
        self._filled = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def _key(by: SampleBy, headers: Fields, target: bytes, client: str) -> bytes | None:
    """What the request is known by; None where it lacks that."""
    if by.source == "header":
        return next((value for _, value in _named(headers, by.name.lower().encode()) if value), None)
    if by.source == "cookie":
        return _cookie(headers, by.name.encode())
    if by.source == "client_ip":
        return _address(client)
    return read_path(target)


def _named(headers: Fields, name: bytes) -> list[tuple[bytes, bytes]]:
    return [field for field in headers if field[0].lower() == name]


def _cookie(headers: Fields, wanted: bytes) -> bytes | None:
    for _, value in _named(headers, b"cookie"):
        for pair in value.split(b";"):
            name, equals, content = pair.strip().partition(b"=")
            if equals and name == wanted:
                return content or None
    return None


def _address(client: str) -> bytes | None:
    """An address as all proxies see it: no port, no scope, IPv4 as such even where it came mapped."""
    if client.startswith("["):
        client = client[1:].partition("]")[0]
    elif client.count(":") == 1:
        client = client.partition(":")[0]
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client.encode() or None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.packed
