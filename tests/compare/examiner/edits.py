"""Small wrongs that are done to a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def day_off(value: str) -> str:
    """Another day of the same month, in a date or time that begins `2026-03-01`."""
    return f"{value[:8]}{int(value[8:10]) % 28 + 1:02d}{value[10:]}"


def days_on(value: str, days: int) -> str:
    """So many days after a date `2026-03-01`."""
    return f"{datetime.fromisoformat(value).replace(tzinfo=UTC) + timedelta(days=days):%Y-%m-%d}"


def german_days_on(value: str, days: int) -> str:
    """So many days after a date `01.03.2026`."""
    return f"{datetime.strptime(value, '%d.%m.%Y').replace(tzinfo=UTC) + timedelta(days=days):%d.%m.%Y}"


def day_for_month(value: str) -> str:
    """Day and month of `01.03.2026` exchanged."""
    day, month, year = value.split(".")
    return f"{month}.{day}.{year}" if day != month else f"{int(day) % 28 + 1:02d}.{month}.{year}"


def millisecond_off(value: str) -> str:
    """The next millisecond of a time that ends `.123Z`."""
    return value[:-4] + f"{(int(value[-4:-1]) + 1) % 1000:03d}Z"


def mojibake(value: str) -> str:
    """UTF-8 that was read as Latin-1."""
    return value.encode().decode("latin-1")
