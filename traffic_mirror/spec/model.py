"""The spec as values: what a validated document means, frozen, with every default filled in.

These values cross to the worker inside a frame, so they hold plain data only: durations in
seconds, sizes in bytes, certificates as PEM bytes (never paths), environment variables replaced.
What is constructed here is valid; `traffic_mirror.spec.reader` is the only place that builds it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

MIB = 1024 * 1024

HttpVersion = Literal["auto", "1.1", "2", "3"]
WhenFull = Literal["drop_newest", "drop_oldest"]
SampleSource = Literal["header", "cookie", "client_ip", "path"]
Pairs = tuple[tuple[str, str], ...]


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """How a destination's certificate is checked and which one we show; files are PEM bytes."""

    verify: bool = True
    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None
    server_name: str | None = None


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """The bound of a destination's queue; both limits hold at once."""

    copies: int = 1000
    bytes: int = 64 * MIB
    when_full: WhenFull = "drop_newest"


class CircuitBreaker(msgspec.Struct, frozen=True, kw_only=True):
    """Opens when at least `failures` (a share) of the last `of` copies within `within` seconds failed.

    While open (for `open_for` seconds) copies are dropped; then one probe decides.
    """

    failures: float = 0.5
    of: int = 20
    within: float = 10.0
    open_for: float = 5.0


class Redact(msgspec.Struct, frozen=True, kw_only=True):
    """What is masked in the copy itself: header names, query keys, JSONPaths into a JSON body."""

    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    json: tuple[str, ...] = ()


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """A server that receives copies.

    `url` is `scheme://host[:port]` with neither user info, path nor query: `base_path` (no trailing
    slash, raw) is prepended to the copy's path and `base_query` (raw, no `?`) merged into its query.
    `proxy` is None where the spec says nothing, and empty for `direct`.
    `scheme` is http or https; `unix_socket` is set for `http+unix://` URLs. `host` is `destination`,
    `preserve` or a literal Host value. `headers` already carries the user info as Authorization.
    """

    name: str
    url: str
    scheme: Literal["http", "https"]
    hostname: str
    port: int
    base_path: str = ""
    base_query: str = ""
    unix_socket: str | None = None
    connect_to: str | None = None
    timeout: float = 5.0
    sample_rate: float = 1.0
    headers: Pairs = ()
    remove_headers: tuple[str, ...] = ()
    host: str = "destination"
    http_version: HttpVersion = "auto"
    tls: Tls = Tls()
    proxy: str | None = None
    max_in_flight: int = 64
    queue: Queue = Queue()
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    stream_buffer: int = 32 * MIB
    max_response: int = 16 * MIB
    redact: Redact = Redact()


class SampleBy(msgspec.Struct, frozen=True, kw_only=True):
    """What a request's place in the sample hangs on; `name` is the header's or cookie's name."""

    source: SampleSource
    name: str = ""


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Further conditions of a rule: RE2 expressions searched for in a header's or query key's value.

    `filter` is an expression of mitmproxy's own filter language.
    """

    headers: Pairs = ()
    query: Pairs = ()
    filter: str | None = None


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """A second copy to the primary itself; `destination` is an index into `Spec.destinations`."""

    destination: int
    sample_rate: float = 1.0


class Compare(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison looks at. Places are `status`, `header:Name`, `body:PATH`.

    `enabled` is None where the spec says nothing: then copies are compared where traffic is inspected.
    Inherited keys (spec, API, rule) are merged already.
    """

    enabled: bool | None = None
    baseline: Baseline | None = None
    ignore: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    tolerance: tuple[tuple[str, float], ...] = ()
    unordered: tuple[tuple[str, str | bool], ...] = ()
    equivalent: Pairs = ()
    status: Literal["exact", "class"] = "exact"
    max_bytes: int = 4 * MIB


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests are copied, to where, and how.

    `path` is as written (template or `^` expression). `methods` is empty for any, upper case otherwise.
    `destinations` are indices into `Spec.destinations`. `wait` is the spec's `async: false`.
    `max_rate` is requests per second.
    """

    name: str
    path: str
    methods: tuple[str, ...] = ()
    ignore_case: bool = False
    disabled: bool = False
    wait: bool = False
    websocket: bool = False
    sample_rate: float = 1.0
    sample_by: SampleBy | None = None
    max_rate: float | None = None
    match: Match = Match()
    headers: Pairs = ()
    remove_headers: tuple[str, ...] = ()
    max_body: int = 16 * MIB
    destinations: tuple[int, ...] = ()
    redact: Redact = Redact()
    compare: Compare = Compare()


class TykMatching(msgspec.Struct, frozen=True, kw_only=True):
    """That an API came from a Tyk definition, and the gateway's switches that change its path matching."""

    prefix_matching: bool = False
    suffix_matching: bool = False


class Markers(msgspec.Struct, frozen=True, kw_only=True):
    """The headers that say a request is a copy: `<prefix>`, and unless `only_marker` also
    `<prefix>-Source`, `-Timestamp`, `-Id` (Tyk definitions have no `-Id`)."""

    prefix: str = "X-Traffic-Mirror"
    only_marker: bool = False
    with_id: bool = True


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """A group of rules below one listen path; `hosts` is empty for any, lower case otherwise.

    `markers` are its copies' own, where they are not the spec's.
    """

    name: str
    hosts: tuple[str, ...] = ()
    listen_path: str = "/"
    strip_listen_path: bool = False
    tyk: TykMatching | None = None
    rules: tuple[Rule, ...] = ()
    markers: Markers | None = None


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One whole, valid specification. `files` are the documents it was read from, for messages.

    `secrets` are the values that came from the environment: they must never be shown.
    """

    files: tuple[str, ...] = ()
    destinations: tuple[Destination, ...] = ()
    apis: tuple[Api, ...] = ()
    markers: Markers = Markers()
    secrets: tuple[str, ...] = ()


def whole_path(api: Api, rule: Rule) -> str:
    """A rule's path as people name the route: below the API's listen path; expressions stay as they are."""
    if rule.path.startswith("^"):
        return rule.path
    return api.listen_path.rstrip("/") + "/" + rule.path.lstrip("/")


def path_template(api: Api, rule: Rule) -> str | None:
    """The whole path where it is that of one route: no expression, no `*`, nor of Tyk, whose may go on."""
    path = whole_path(api, rule)
    return None if api.tyk is not None or "*" in path or path.startswith("^") else path


def row_names(spec: Spec) -> set[tuple[str, str, str]]:
    """The names that a spec's copies are counted under: of the API, the rule and each destination."""
    names: set[tuple[str, str, str]] = set()
    for api in spec.apis:
        for rule in api.rules:
            baseline = rule.compare.baseline
            indices = rule.destinations if baseline is None else (*rule.destinations, baseline.destination)
            names.update((api.name, rule.name, spec.destinations[index].name) for index in indices)
    return names


# What copies go under that a person sends of a request no rule takes; frames name it by the index -1.
BY_HAND = Api(name="mirror.send", rules=(Rule(name="by hand", path="/*", compare=Compare(enabled=True)),))


def find_rule(spec: Spec, api: int, rule: int) -> tuple[Api, Rule]:
    """The API and rule of these indices; an API of -1 is what a person sends by hand."""
    found = BY_HAND if api < 0 else spec.apis[api]
    return found, found.rules[0 if api < 0 else rule]
