"""Every kind of service that is examined."""

from __future__ import annotations

from tests.compare.examiner.service import Service
from tests.compare.examiner.services import data, feeds, money, pages, platforms, shops, systems

SERVICES: tuple[Service, ...] = (
    *platforms.SERVICES,
    *money.SERVICES,
    *data.SERVICES,
    *shops.SERVICES,
    *pages.SERVICES,
    *feeds.SERVICES,
    *systems.SERVICES,
)
