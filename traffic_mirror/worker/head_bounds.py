"""Which requests' heads libcurl does not send, or not as they are, whatever the destination. Pure."""

from __future__ import annotations

from traffic_mirror.copies import Copy

# libcurl's DYN_HTTP_REQUEST: a head as HTTP/1.1 writes it, whichever version it goes by.
_MOST = 1024 * 1024
# The default of nghttp2_option_set_max_send_header_block_length, in the measure of nghttp2_hd_deflate_bound:
# a frame's priority and two changes of the table's size, then for each field a name's and a value's length.
_MOST_OF_HTTP2 = 64 * 1024
_HTTP2_FRAME = 5 + 12
_HTTP2_FIELD = 12
_HTTP2_PSEUDO = len(b":method:scheme:authority:path")


def why_unsendable(copy: Copy, http_version: str) -> str:
    """Why the head of `copy` can't be sent to a destination of this `http_version`; empty where it can."""
    size = copy.text_size + len(copy.headers) * len(b": \r\n") + len(b"  HTTP/1.1\r\nHost: \r\n\r\n")
    if size >= _MOST:
        return f"found a head of {size} bytes, libcurl sends less than {_MOST}"
    if http_version in ("2", "3") and _is_taken_for_connect(copy.method):
        return f"found the method {copy.method.decode()}, which libcurl takes for CONNECT over HTTP/2 and 3"
    if http_version == "2" and (size := _http2_size(copy)) > _MOST_OF_HTTP2:
        return f"found a head of {size} bytes, libcurl sends {_MOST_OF_HTTP2} at most over HTTP/2"
    return ""


def fits_http2(copy: Copy) -> bool:
    """Whether the head of `copy` can be sent over HTTP/2."""
    return not _is_taken_for_connect(copy.method) and _http2_size(copy) <= _MOST_OF_HTTP2


def _is_taken_for_connect(method: bytes) -> bool:
    """libcurl compares no more letters than the method has: `C` would lose its path."""
    return b"CONNECT".startswith(method)


def _http2_size(copy: Copy) -> int:
    fields = 4 + len(copy.headers)
    return _HTTP2_FRAME + _HTTP2_PSEUDO + len(copy.scheme) + copy.text_size + fields * _HTTP2_FIELD
