"""The least an addon can do: a request hook that does nothing."""

from mitmproxy import http


def request(flow: http.HTTPFlow) -> None:
    """Does nothing."""
