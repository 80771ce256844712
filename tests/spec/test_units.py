"""Durations, sizes and rates."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic_mirror.spec.units import parse_duration, parse_rate, parse_size, write_duration, write_size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (2, 2.0),
        (0.5, 0.5),
        ("500ms", 0.5),
        ("2s", 2.0),
        ("1.5s", 1.5),
        ("1m30s", 90.0),
        ("1h", 3600.0),
        ("1h1m1s1ms", 3661.001),
    ],
)
def test_durations_are_seconds(written: str | float, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (5, 5),
        ("5B", 5),
        ("1kB", 1000),
        ("1KB", 1000),
        ("1 KiB", 1024),
        ("1.5KiB", 1536),
        ("2MB", 2_000_000),
        ("2MiB", 2 * 1024**2),
        ("1GB", 10**9),
        ("1GiB", 1024**3),
        ("9" * 400 + "B", 2**63),
    ],
)
def test_sizes_are_bytes(written: str | int, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize(("written", "rate"), [(5, 5.0), ("50/s", 50.0), ("30/m", 0.5), ("3600/h", 1.0)])
def test_rates_are_requests_per_second(written: str | float, rate: float) -> None:
    assert parse_rate(written) == rate


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-5s", "5d", "5s5", "1e3s", "５s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "5", "B", "-5B", "5TiB", "5kiB", "5iB", "5B5"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "5", "5/d", "/s", "x/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are float's own
        parse_rate(text)


@given(st.integers(1, 86_400_000))
def test_a_written_duration_is_read_as_it_was(milliseconds: int) -> None:
    assert parse_duration(write_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.integers(1, 2**40))
def test_a_written_size_is_read_as_it_was(size: int) -> None:
    assert parse_size(write_size(size)) == size


@pytest.mark.parametrize(
    ("size", "written"), [(1, "1B"), (1000, "1000B"), (1536, "1536B"), (16 << 20, "16MiB"), (3 << 30, "3GiB")]
)
def test_sizes_are_written_in_the_largest_unit_that_makes_them_whole(size: int, written: str) -> None:
    assert write_size(size) == written
