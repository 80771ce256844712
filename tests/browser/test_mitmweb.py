"""In mitmweb: a copy that differs is found among the flows, its diff opened and read; the page is there."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import Browser
from tests.browser.shop import Shop
from tests.proxies import PASSWORD

ROWS = ".flow-table tbody tr.has-request"


def search(browser: Browser, expression: str, count: int) -> None:
    """Types a filter and waits for so many flows."""
    browser.fill("input[placeholder=Search]", expression)
    browser.wait_for(lambda: len(browser.all(ROWS)) == count, f"{count} flows for {expression}")


def test_a_copy_that_differs_is_found_and_its_diff_is_read(browser: Browser, shop: Shop) -> None:
    shop.browse(items=3, orders=1)
    browser.open(shop.web_login)
    browser.wait_for(lambda: len(browser.all(ROWS)) >= 3 + 1 + 7, "originals and copies")
    search(browser, '~comment "copy of .*differs: body"', 3)
    assert [marker.text for marker in browser.all(f"{ROWS} .marker")] == ["🔶"] * 3
    browser.all(ROWS)[0].find_element(By.CSS_SELECTOR, ".col-path").click()
    browser.one(".flow-detail")
    links = {link.text.lower(): link for link in browser.all(".flow-detail .nav-tabs a")}
    links["comment"].click()
    browser.wait_for_text("→ shadow: 200 in")
    links["response"].click()
    choose_view(browser, "mirror diff")
    browser.wait_for_text('-    "price": 10,')
    assert '+    "price": 12,' in browser.text
    assert "body $.price  differs" in browser.text


def choose_view(browser: Browser, name: str) -> None:
    """Picks a content view of the message that is open."""
    browser.one(".contentview .controls")
    browser.all(".contentview .controls a")[-1].click()
    browser.wait_for_text(name)
    next(link for link in browser.all("a") if link.text.strip().lower() == name).click()


FILTERS: dict[
    str, Callable[[str, str], bool]
] = {  # expression → whether it finds a flow of this comment and mark
    "~replayq": lambda comment, _: comment.startswith("copy of"),
    "!~replayq": lambda comment, _: not comment.startswith("copy of"),
    '~comment "differs: body"': lambda comment, _: "differs: body" in comment,
    "~marker diamond": lambda _, mark: mark == "🔶",
    "~marker x": lambda _, mark: mark == "❌",
    "~marker white_check_mark": lambda _, mark: mark == "✅",
    '~comment "copy of .*differs"': lambda comment, _: re.search("copy of .*differs", comment) is not None,
    '~comment "copy of .*failed: connect"': lambda comment, _: (
        re.search("copy of .*connect", comment) is not None
    ),
    '~comment "copy of .*→ twin"': lambda comment, _: re.search("copy of .*→ twin", comment) is not None,
}


def test_the_documented_filters_find_what_they_say(browser: Browser, shop: Shop) -> None:
    shop.browse(items=1, orders=1)
    browser.open(shop.web_login)
    browser.wait_for(lambda: len(browser.all(ROWS)) == len(all_flows(shop)), "all flows")
    flows = all_flows(shop)
    for expression, finds in FILTERS.items():
        expected = sum(finds(flow["comment"], flow["marked"]) for flow in flows)
        assert 0 < expected < len(flows), expression
        search(browser, expression, expected)
        assert not browser.all(".filter-input.has-error"), expression


def all_flows(shop: Shop) -> list[dict[str, Any]]:
    request = urllib.request.Request(f"{shop.web}/flows", headers={"Authorization": f"Bearer {PASSWORD}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        flows: list[dict[str, Any]] = json.load(answer)
    return flows


@pytest.mark.parametrize("path", ["/mirror/", "/mirror/api/summary", "/mirror/api/page/overview"])
def test_the_page_in_mitmweb_asks_for_mitmwebs_password(shop: Shop, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(shop.web + path, timeout=10)
    assert refused.value.code == 403
    refused.value.close()


def test_who_comes_to_the_page_first_logs_in_there(browser: Browser, shop: Shop) -> None:
    browser.open(f"{shop.web}/mirror")
    browser.wait_for_text("enter the password")
    browser.one("input[name=token]").send_keys(PASSWORD + Keys.ENTER)
    browser.wait_for_text("Mirroring")
    assert browser.driver.current_url == f"{shop.web}/mirror/"
    _ = browser.errors  # the first answer is a 403, and the form is not ours


def test_another_sites_page_can_not_pause_through_mitmweb(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {PASSWORD}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{shop.web}/mirror/api/control", b'{"action": "pause"}', headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403
    refused.value.close()


def test_the_page_is_in_mitmweb_and_its_switch_works_there(browser: Browser, shop: Shop) -> None:
    summary = shop.browse(items=1)
    browser.open(shop.web_login)
    browser.one(".flow-table")
    browser.open(f"{shop.web}/mirror")
    browser.wait_for_text(f"{summary['selected']:,}")
    browser.click("#pause")
    browser.wait_for_text("Paused: no copies are made")
    assert shop.proxy.summary()["paused"] is True
    browser.click("#pause")
    browser.wait_for(lambda: "Paused: no copies" not in browser.text, "mirroring again")
