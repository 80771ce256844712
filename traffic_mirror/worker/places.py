"""The addresses of a destination as libcurl finds them, and the news that none leads to a connection."""

from __future__ import annotations

from typing import NamedTuple

Address = tuple[str, int] | tuple[str, int, int, int] | bytes


class Place(NamedTuple):
    """A socket's address: its family, and what `connect` takes."""

    family: int
    address: Address


class Unconnected(Exception):  # noqa: N818 - it says how things stand
    """There is no connection, or no longer; `code` is libcurl's for that, `os_error` the system's, or 0."""

    def __init__(self, code: int, message: str, os_error: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.os_error = os_error
