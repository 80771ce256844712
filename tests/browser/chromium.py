"""Debian's Chromium, headless, with an empty profile, kept from the network; what it asks for is noted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.programs import find
from tests.waiting import wait_until

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


class Browser:
    """One window. `requests` and `errors` are what the page asked for and complained of since last time."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def size(self, width: int, height: int, *, scale: float = 1) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """The colours that the system asks for: `light` or `dark`."""
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    @property
    def text(self) -> str:
        """What a person reads on the page."""
        return str(self.run("return document.body.innerText"))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str, timeout: float = 10.0) -> WebElement:
        """The first element of a selector, once it is there."""
        return wait_until(lambda: self.all(selector), timeout, lambda: f"{selector}:\n{self.text}")[0]

    def wait_for(self, condition: Callable[[], object], what: str = "", timeout: float = 15.0) -> None:
        wait_until(condition, timeout, lambda: f"{what}, the page says:\n{self.text}")

    def wait_for_text(self, words: str, timeout: float = 15.0) -> None:
        self.wait_for(lambda: words in self.text, words, timeout)

    def press(self, keys: str) -> None:
        """Types on whatever has the focus."""
        webdriver.ActionChains(self.driver).send_keys(keys).perform()

    def click(self, selector: str) -> None:
        """Clicks an element, though the page may draw itself anew at that moment."""
        self.one(selector)
        self.run("document.querySelector(arguments[0]).click()", selector)

    def fill(self, selector: str, text: str) -> None:
        """Puts text into a field at once, as pasting does: mitmweb ends its connection over half a filter."""
        self.one(selector)
        self.run(
            "const field = document.querySelector(arguments[0]);"
            "const { set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');"
            "set.call(field, arguments[1]);"
            "field.dispatchEvent(new Event('input', {bubbles: true}));",
            selector,
            text,
        )

    @property
    def errors(self) -> list[str]:
        return [f"{entry['level']}: {entry['message']}" for entry in self._log("browser")]

    @property
    def requests(self) -> list[str]:
        """The URLs of every request since this was last asked, WebSockets included."""
        urls = []
        for entry in self._log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                urls.append(message["params"]["url"])
        return urls

    def hosts(self) -> set[str]:
        """The hosts that were asked since this was last asked."""
        return {urlsplit(url).hostname or "" for url in self.requests if not url.startswith("data:")}

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def picture(self, file: Path) -> None:
        self.driver.save_screenshot(str(file))


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser whose profile is the empty directory `profile`."""
    options = Options()
    options.binary_location = find("chromium") or "chromium"
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(find("chromedriver") or "chromedriver"))
    try:
        driver.set_page_load_timeout(20)
        driver.set_script_timeout(60)
        yield Browser(driver)
    finally:
        driver.quit()
