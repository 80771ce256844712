"""A browser, and a mitmweb with traffic in front of servers that do not agree."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.browser.chromium import Browser, chromium
from tests.browser.shop import Shop
from tests.programs import require
from tests.proxies import proxy
from tests.servers import RecordingServer, answering, refused_port


@pytest.fixture(scope="session")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    require("chromium", "chromedriver")
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    """The window, wide and light, with nothing to complain of afterwards: no errors, no other hosts."""
    window.size(1360, 900)
    window.prefer("light")
    window.open("about:blank")
    window.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    _ = window.errors, window.requests
    yield window
    errors, hosts = window.errors, window.hosts()
    window.open("about:blank")
    assert errors == []
    assert hosts <= {"127.0.0.1"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop behind mitmweb: one destination has other prices, one is not there, one agrees."""
    here = tmp_path_factory.mktemp("shop")
    headers = [("Content-Type", "application/json")]

    def server(price: int) -> RecordingServer:
        item = {"id": 7, "name": "lamp", "price": price, "tags": ["a", "b"]}
        return RecordingServer(answering(200, json.dumps(item).encode(), headers))

    with server(10) as primary, server(12) as shadow, server(10) as twin, refused_port() as nobody:
        spec = here / "mirror.yaml"
        spec.write_text(Shop.spec_text(shadow.url, twin.url, f"http://127.0.0.1:{nobody}"))
        with proxy(here / "web", spec, tool="mitmweb", mode=f"reverse:{primary.url}") as running:
            yield Shop(running, spec, shadow, twin)
