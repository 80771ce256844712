"""A plan: how requests of one rule become copies for one destination, compiled once."""

from __future__ import annotations

import contextlib
from itertools import chain

import msgspec

from traffic_mirror.copies.draft import Draft, Field
from traffic_mirror.copies.headers import HOP_BY_HOP, MASK, Action, Actions, check_text
from traffic_mirror.copies.markers import Marking, compile_marking, make_traceparent
from traffic_mirror.copies.redaction import Unredactable, compile_json_mask
from traffic_mirror.copies.request import Fields, FrozenRequest
from traffic_mirror.copies.target import compile_rewrite, mask_query, shown
from traffic_mirror.spec.model import Api, Destination, Markers, Pairs, Rule

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Copy(msgspec.Struct, frozen=True, gc=False):
    """A request as one destination is sent it. `scheme`, `hostname` and `port` are where to connect.

    `target` is the request line's, `host` the Host field's value (`:authority`), `headers` all others in
    order, Content-Length among them. `body` is None where it follows in pieces. `shown_url` is for people,
    `text_size` the bytes of `method`, `target`, `host` and the headers' names and values.
    """

    method: bytes
    scheme: str
    hostname: str
    port: int
    target: bytes
    host: bytes
    headers: Fields
    body: bytes | None
    shown_url: str
    text_size: int


class Plan:
    """Makes the copies of one rule's requests for one destination."""

    def __init__(
        self, marking: Marking, api: Api, rule: Rule, destination: Destination, *, compared: bool
    ) -> None:
        self.destination = destination
        self.marking = marking
        self._sets = _set_fields(marking, rule, destination)
        actions = _actions(marking, rule, destination, self._sets)
        self._actions = Actions(actions)
        self._host = _host(rule, destination)
        self._traces = (
            compared and marking.source is not None and actions[b"traceparent"] is Action.TRACEPARENT
        )
        self._lower = destination.http_version in ("2", "3")
        masked = frozenset((*rule.redact.query, *destination.redact.query))
        self._rewrite = compile_rewrite(api, destination, masked)
        self._verbatim = self._rewrite.changes_nothing
        self._json_mask = compile_json_mask((*rule.redact.json, *destination.redact.json))

    def copy(self, request: FrozenRequest, body: bytes | None) -> Copy:
        """The copy of `request` with `body`; None is a body that follows in pieces (its length unchanged).

        Raises ValueError for a request that can't be sent safely (a line's end or NUL in its head), and
        `Unredactable`, a ValueError, for a body in which places can't be masked.
        """
        if self._json_mask is not None:
            body = self._json_mask.apply(request.headers, body)
        target = request.target
        if not self._verbatim or target[:1] != b"/":
            target = self._rewrite.apply(target)
        host = self._host or _client_host(request)
        headers = self._headers(request, body)
        text_size = check_text(chain((request.method, target, host), chain.from_iterable(headers)))
        to = self.destination
        return Copy(
            request.method,
            to.scheme,
            to.hostname,
            to.port,
            target,
            host,
            headers,
            body,
            shown(to.url, target),
            text_size,
        )

    def mask(self, target: bytes) -> bytes:
        """A client's target without the values that its copies must not carry, for people."""
        return mask_query(target, self._rewrite.masked) if self._rewrite.masked else target

    def trailers(self, fields: Fields) -> Fields:
        """A request's trailers as they travel: what is dropped or masked in its head is so here too."""
        kept = []
        for name, value in fields:
            with contextlib.suppress(ValueError):  # one that can't be sent; its body is on its way already
                action = self._actions[name]
                check_text((name, value))
                if action is Action.KEEP or action is Action.MASK:
                    kept.append((name, MASK if action is Action.MASK else value))
        return tuple(kept)

    def check_messages(self) -> None:
        """Raises Unredactable where a WebSocket's messages would have to be masked."""
        if self._json_mask is not None:
            raise Unredactable("places can be masked in requests' bodies, not in a WebSocket's messages")

    def _headers(self, request: FrozenRequest, body: bytes | None) -> Fields:
        draft = Draft(self._sets, body, multiplexed=request.multiplexed)
        actions, keep = self._actions, draft.fields.append
        for field in request.headers:
            action = actions[field[0]]
            if action is Action.KEEP:
                keep(field)
            elif action is not Action.DROP:
                draft.place(action, field)
        fields = draft.finish()
        if self._traces and not draft.traced:
            fields.append((b"traceparent", make_traceparent(request.id, self.destination.name)))
        fields += self.marking.fields(request)
        return tuple([(name.lower(), value) for name, value in fields] if self._lower else fields)


def compile_plan(
    markers: Markers, api: Api, rule: Rule, destination: Destination, *, compared: bool | None = None
) -> Plan:
    """The plan for one rule and one of its destinations.

    `compared` says that the copies' answers will be, so that their traces should be found; None: as the
    rule says. Raises ValueError for header fields that can't be sent.
    """
    if compared is None:
        compared = rule.compare.enabled is True
    return Plan(compile_marking(markers, api), api, rule, destination, compared=compared)


def _set_fields(marking: Marking, rule: Rule, destination: Destination) -> dict[bytes, Field]:
    """What is set, by name in lower case: the rule's, less what the destination removes, then its own.

    Markers, framing and what belongs to one connection are not a spec's to set.
    """
    fields = {name.lower().encode(): (name.encode(), value.encode()) for name, value in rule.headers}
    for name in destination.remove_headers:
        fields.pop(name.lower().encode(), None)
    for name, value in destination.headers:
        fields[name.lower().encode()] = (name.encode(), value.encode())
    for lower in (*HOP_BY_HOP, *marking.names(), b"host", b"content-length"):
        fields.pop(lower, None)
    check_text(chain.from_iterable(fields.values()))
    return fields


def _actions(
    marking: Marking, rule: Rule, destination: Destination, sets: dict[bytes, Field]
) -> dict[bytes, Action]:
    """What becomes of the client's fields, by name in lower case; the last word is the strongest."""
    actions = {b"cookie": Action.COOKIE, b"traceparent": Action.TRACEPARENT, b"trailer": Action.TRAILER}
    for name in (*rule.redact.headers, *destination.redact.headers):
        actions[name.lower().encode()] = Action.MASK
    for name in (*rule.remove_headers, *destination.remove_headers):
        actions[name.lower().encode()] = Action.DROP
    actions.update(dict.fromkeys(sets, Action.SET))
    actions.update(dict.fromkeys(marking.names(), Action.DROP))
    actions.update(dict.fromkeys(HOP_BY_HOP, Action.DROP))
    return actions | {
        b"host": Action.DROP,
        b"content-length": Action.LENGTH,
        b"connection": Action.CONNECTION,
        b"te": Action.TE,
        b"transfer-encoding": Action.TRANSFER_ENCODING,
    }


def _host(rule: Rule, destination: Destination) -> bytes | None:
    """The Host value of all copies; None where each keeps its client's.

    A destination's own header comes first, then its `host`, then the rule's header.
    """
    own, theirs = _named_host(destination.headers), _named_host(rule.headers)
    if own is not None:
        return own
    if destination.host == "preserve":
        return None
    if destination.host != "destination":
        return destination.host.encode()
    return theirs if theirs is not None else _authority(destination)


def _named_host(pairs: Pairs) -> bytes | None:
    return next((value.encode() for name, value in reversed(pairs) if name.lower() == "host"), None)


def _authority(destination: Destination) -> bytes:
    name = f"[{destination.hostname}]" if ":" in destination.hostname else destination.hostname
    if destination.unix_socket is None and destination.port != _DEFAULT_PORTS[destination.scheme]:
        name += f":{destination.port}"
    return name.encode()


def _client_host(request: FrozenRequest) -> bytes:
    authority = request.authority or request.host.encode()
    return authority.rpartition(b"@")[2]
