"""Turns a flow into what the mirror works with: the host asked for, the frozen request, the answer.

Everything is read from `request.data`, which neither decodes nor rewrites, so that a copy carries the
bytes the client sent.
"""

from __future__ import annotations

import msgspec
from mitmproxy import http
from mitmproxy.proxy import mode_specs

from traffic_mirror.copies import without_credentials
from traffic_mirror.copies.request import FrozenRequest, host_of
from traffic_mirror.wire.frames import Primary

# In these modes the client names the host itself, in the URL or by CONNECT.
_NAMED_BY_CLIENT = (mode_specs.RegularMode, mode_specs.UpstreamMode, mode_specs.Socks5Mode)

_BODILESS = (204, 205, 304)
_TOO_LARGE = "too_large"

# What a request weighs beside its body, target and values, with some to spare.
_HEAD = 2048
_FIELD = 256


def _asked_host(flow: http.HTTPFlow, authority: bytes) -> str:
    """The host the client asked for, in lower case and without a port.

    Where the proxy sees only an address (transparent, local, WireGuard, TUN), and in reverse mode, it is
    the Host header's, or `:authority`'s; where there is none, the TLS server name, then the address.
    """
    if isinstance(flow.client_conn.proxy_mode, _NAMED_BY_CLIENT):
        return flow.request.data.host.lower()
    if authority:
        return host_of(authority)
    return (flow.client_conn.sni or flow.request.data.host).lower()


def _host_field(data: http.RequestData) -> bytes:
    """The Host header or `:authority`, as sent; empty when there is neither."""
    if data.authority:
        return data.authority
    for name, value in data.headers.fields:
        if len(name) == 4 and name.lower() == b"host":
            return value
    return b""


def freeze_request(flow: http.HTTPFlow, *, added_authorization: bool = False) -> FrozenRequest:
    """The request as one value; its body stays with the flow. Proxy credentials are left out.

    `added_authorization`: mitmproxy's `upstream_auth` put the Authorization header there, not the client.
    """
    data = flow.request.data
    authority = _host_field(data)
    fields = without_credentials(data.headers.fields)
    if added_authorization:
        fields = tuple(field for field in fields if field[0].lower() != b"authorization")
    return FrozenRequest(
        id=flow.id,
        method=data.method,
        scheme=data.scheme.decode("ascii", "replace"),
        host=_asked_host(flow, authority),
        port=data.port,
        authority=authority,
        target=data.path,
        http_version=data.http_version.decode("ascii", "replace"),
        headers=fields,
        body=None,
        time=data.timestamp_start,
        client=flow.client_conn.peername[0],
        trailers=data.trailers.fields if data.trailers else (),
    )


def freeze_answer(
    flow: http.HTTPFlow, host: str, max_bytes: int | None, released: float = 0.0
) -> tuple[Primary, bytes]:
    """The primary's answer as a frame and its body; with `max_bytes` None only status and time are told.

    `released`: when a request that waited for its copies went on, in unix seconds.
    """
    response = flow.response
    request = flow.request.data
    began = max(request.timestamp_end or request.timestamp_start, released)
    if response is None:
        why = flow.error.msg if flow.error else "no response"
        return Primary(flow.id, 0, 0.0, began, error=why), b""
    seconds = max(0.0, (response.timestamp_end or began) - began)
    if max_bytes is None:
        return Primary(flow.id, response.status_code, seconds, began), b""
    body = response.raw_content
    missing = ""
    if body is None:
        missing = "streamed"
    elif len(body) > max_bytes:
        missing, body = _TOO_LARGE, None
    elif (
        not body and _is_of_har(flow) and response.status_code not in _BODILESS and request.method != b"HEAD"
    ):
        missing = "unavailable"  # or empty: a HAR that was made without bodies says the same
    trailers = response.data.trailers
    frame = Primary(
        flow.id,
        response.status_code,
        seconds,
        began,
        headers=response.data.headers.fields + (trailers.fields if trailers else ()),
        hosts=tuple(
            dict.fromkeys((host, f"{host}:{request.port}", request.host, f"{request.host}:{request.port}"))
        ),
        missing=missing,
        has_body=body is not None,
        scheme=request.scheme.decode("ascii", "replace"),
    )
    return frame, body or b""


def weigh(flow: http.HTTPFlow, max_answer: int | None) -> int:
    """The bytes that the worker is told of a flow, or some more: of its answer none above `max_answer`."""
    request = flow.request.data
    head = _HEAD + len(request.path) + sum(_FIELD + len(value) for _, value in request.headers.fields)
    answer = flow.response.raw_content if flow.response is not None else None
    if answer is None or max_answer is None or len(answer) > max_answer:
        answer = b""
    return head + len(request.content or b"") + len(answer)


def cut_answer(frame: Primary, body: bytes, max_bytes: int | None) -> tuple[Primary, bytes]:
    """An answer that was frozen for a larger `max_bytes`, as `freeze_answer` gives it for this one."""
    if max_bytes is None and frame.hosts:
        return Primary(frame.id, frame.status, frame.seconds, frame.began), b""
    if max_bytes is not None and len(body) > max_bytes:
        return msgspec.structs.replace(frame, missing=_TOO_LARGE, has_body=False), b""
    return frame, body


def _is_of_har(flow: http.HTTPFlow) -> bool:
    """Whether mitmproxy read the flow from a HAR: no real client has port 0."""
    return not flow.live and flow.client_conn.peername[1] == 0
