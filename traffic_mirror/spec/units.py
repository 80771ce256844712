"""Durations, sizes and rates: how a spec writes them, in seconds, bytes and requests per second."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kKMG]?i?B)\Z")


def parse_duration(value: str | float) -> float:
    """Seconds: `500ms`, `2s`, `1m30s`, `1h`, or a number of seconds. Raises ValueError for anything else."""
    if not isinstance(value, str):
        return float(value)
    parts = _DURATION_PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError(value)
    return round(sum(float(number) * _SECONDS[unit] for number, unit in parts), 9)


def write_duration(seconds: float) -> str:
    """A duration as a spec may have it: `500ms`, `90s`."""
    return f"{seconds:.9g}s" if seconds >= 1 else f"{seconds * 1000:.9g}ms"


def write_size(count: int) -> str:
    """A size in bytes as a spec may have it, in the largest unit of 1024 that makes it whole: `16MiB`."""
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if count % _BYTES[unit] == 0), "B")
    return f"{count // _BYTES[unit]}{unit}"


def parse_size(value: str | float) -> int:
    """Bytes: `512KiB`, `64MiB`, `1GB`, or a number of bytes. Raises ValueError for anything else."""
    if not isinstance(value, str):
        return int(value)
    match = _SIZE.match(value)
    if match is None or match[2] not in _BYTES:
        raise ValueError(value)
    return int(min(float(match[1]) * _BYTES[match[2]], 2.0**63))


def parse_rate(value: str | float) -> float:
    """Requests per second: `50/s`, `600/m`, `1000/h`, or a number. Raises ValueError for anything else."""
    if not isinstance(value, str):
        return float(value)
    number, _, unit = value.partition("/")
    if unit not in ("s", "m", "h"):
        raise ValueError(value)
    return float(number) / _SECONDS[unit]
