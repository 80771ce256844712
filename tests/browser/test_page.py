"""The page: the same sums as the metrics, a switch that works, problems as in the log, for every reader."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from axe_selenium_python import Axe
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import Browser
from tests.browser.shop import Shop
from tests.clients import exchange, request
from tests.proxies import Proxy, proxy
from tests.servers import RecordingServer

OUTCOMES = ["delivered", "failed", "dropped", "skipped", "sampled_out"]
VIEWS = ["overview", "differences", "rules", "ledger", "failures", "spec"]


SMALL = """\
version: 1
apis: [{name: a, traffic_mirror: [{path: /x, destinations: [{url: "http://127.0.0.1:9"}]}]}]
"""


LONG = "long-" * 30 + "name"
REGIONS = [f"region-{number:02}" for number in range(19)]
MANY = f"""\
version: 1
destinations:
{"".join(f'  {name}: {{url: "http://127.0.0.1:9/{name}"}}' + chr(10) for name in (LONG, *REGIONS))}
apis:
  - name: a
    traffic_mirror:
      - {{path: /x, destinations: [{", ".join((LONG, *REGIONS))}]}}
"""


@pytest.fixture
def page(browser: Browser, shop: Shop) -> str:
    """The page's address, with some traffic behind it."""
    shop.browse(items=4, orders=2)
    return shop.proxy.page


def view(browser: Browser, page: str, name: str) -> None:
    """Opens one of the page's views and waits until it is drawn."""
    browser.open(f"{page}/#{name}")
    shown = f"#content[data-view={name.partition('?')[0]}]"
    browser.wait_for(lambda: browser.all(shown) and "Reading…" not in browser.text, name)


def metric(shop: Shop, name: str, **labels: str) -> int:
    """The sum of a metric's series that have these labels."""
    total = 0.0
    for line in shop.proxy.get("/metrics").decode().splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and all(f'{k}="{v}"' in (found[2] or "") for k, v in labels.items()):
            total += float(found[3])
    return int(total)


def shown(browser: Browser, selector: str) -> int:
    """A figure on the page."""
    return int(browser.one(selector).text.replace(",", ""))


def verdicts_agree(browser: Browser, shop: Shop, verdict: str) -> bool:
    """Verdicts come a moment after the copies ended, so the two may be asked on either side of one."""
    told = metric(shop, "mirror_verdicts_total", verdict=verdict)
    return shown(browser, f".reasons .c-{verdict} .num") == told


def test_the_page_shows_the_sums_of_the_metrics(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "ledger")
    browser.wait_for(lambda: shown(browser, ".sum .c-selected b") == shop.sent, "all copies")
    assert shown(browser, ".sum .c-selected b") == metric(shop, "mirror_selected_total")
    for outcome in OUTCOMES:
        assert shown(browser, f".sum .c-{outcome} b") == metric(shop, "mirror_copies_total", outcome=outcome)
    assert sum(shown(browser, f".sum .c-{part} b") for part in (*OUTCOMES, "flight")) == shop.sent
    for verdict in ("match", "differ", "incomparable"):
        browser.wait_for(partial(verdicts_agree, browser, shop, verdict), verdict)


def test_the_page_updates_by_itself(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "overview")
    before = shop.sent
    browser.wait_for(lambda: f"{before:,}" in browser.text, "the copies so far")
    shop.browse(items=5)
    browser.wait_for(lambda: f"{before + 10:,}" in browser.one(".figure .main").text, "five items more")


def test_pausing_stops_copies_and_resuming_goes_on(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "overview")
    before = len(shop.shadow.requests), shop.proxy.summary()["outcomes"]["skipped"]
    browser.click("#pause")
    browser.wait_for_text("Paused: no copies are made")
    shop.browse(items=3)
    assert len(shop.shadow.requests) == before[0]
    assert shop.proxy.summary()["outcomes"]["skipped"] == before[1] + 6
    browser.click("#pause")
    browser.wait_for(lambda: "Paused" not in browser.one("#state").text, "mirroring again")
    shop.browse(items=1)
    assert len(shop.shadow.requests) == before[0] + 1


def test_every_destination_tells_how_it_is(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "overview")
    browser.wait_for(lambda: len(browser.all(".destination")) == 3, "three destinations")
    cards = {card.find_element("css selector", "h3").text: card.text for card in browser.all(".destination")}
    assert set(cards) == {"shadow", "twin", "nobody"}
    assert "100 % differ" in cards["shadow"]
    assert "compared differs" in cards["twin"]
    assert "healthy" in cards["twin"]
    assert any(words in cards["nobody"] for words in ("failing", "breaker open"))
    assert "0 %" in cards["nobody"]
    assert all("In flight" in card and "Queue" in card and "primary" in card for card in cards.values())


def test_a_difference_is_opened_and_read_side_by_side(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "differences")
    browser.wait_for_text("$.price")
    browser.click(".group .head")
    browser.wait_for(lambda: len(browser.all(".example")) == 3, "three examples")
    sides = [side.text.splitlines() for side in browser.all(".example:first-child .side")]
    assert [side[0] for side in sides] == ["primary200", "copy200"] or [side[0] for side in sides] == [
        "primary",
        "copy",
    ]
    assert [side[-1] for side in sides] == ["10", "12"]


def test_a_failure_says_what_the_network_said(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "failures")
    browser.wait_for_text("connect")
    row = browser.one("tbody tr").text
    assert "order" in row
    assert "nobody" in row
    assert "POST" in row
    assert "connect to 127.0.0.1" in row


def test_rules_are_found_and_opened(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "rules")
    browser.wait_for(lambda: len(browser.all(".opener")) == 3, "three rules")
    browser.one("input[type=search]").send_keys("orders")
    browser.wait_for(lambda: len(browser.all(".opener")) == 1, "one rule")
    browser.click(".opener")
    browser.wait_for_text("failed connect")
    assert "path: /orders" in browser.text


def test_the_spec_in_force_is_shown_without_its_secrets(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "spec")
    browser.wait_for_text(shop.shadow.url)
    assert str(shop.spec) in browser.text
    assert "Authorization: ***" in browser.text
    assert "not-for-eyes" not in browser.text


def test_problems_of_a_changed_spec_read_as_in_the_log(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "overview")
    good = shop.spec.read_text()
    try:
        shop.spec.write_text(good.replace("destinations: [nobody]", "destinations: [nobdoy], smaple_rate: 1"))
        browser.wait_for_text("The changed spec is refused")
        problems = browser.one("#notices pre").text.splitlines()
        assert len(problems) == 2
        for problem in problems:
            assert problem in shop.proxy.log
        assert "Spec refused" in browser.one("#state").text
    finally:
        shop.spec.write_text(good)
    browser.wait_for(lambda: "refused" not in browser.text, "the spec in force again")


def barriers(browser: Browser) -> list[str]:
    """What axe finds, with the elements concerned."""
    axe = Axe(browser.driver)
    axe.inject()
    return [
        f"{found['id']}: {[node['html'][:160] for node in found['nodes']]}"
        for found in axe.run()["violations"]
        if found["id"] != "skip-link"  # axe takes a tab that is scrolled out of sight for one
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", VIEWS)
def test_everyone_can_use_it(browser: Browser, page: str, name: str, scheme: str) -> None:
    browser.prefer(scheme)
    view(browser, page, name)
    if name in ("differences", "rules"):
        browser.click(".group .head, .opener")
        browser.one(".examples .side, .details pre")
    assert barriers(browser) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1920])
@pytest.mark.parametrize("name", VIEWS)
def test_it_fits_any_window(browser: Browser, page: str, name: str, width: int) -> None:
    browser.size(width, 800)
    view(browser, page, name)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    tab = browser.run(
        "return document.querySelector('#tabs [aria-current]').getBoundingClientRect().toJSON()"
    )
    assert 0 <= tab["left"] < tab["right"] <= width, "the chosen tab can be seen"
    if width == 390:
        assert barriers(browser) == []


def test_it_is_used_by_keyboard_alone(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "overview")
    for key, name in enumerate(VIEWS, 1):
        browser.press(str(key))
        browser.one(f"#content[data-view={name}]")
    browser.press("3")
    browser.one("input[type=search]")
    browser.press("/")
    browser.press("never")
    browser.wait_for(lambda: len(browser.all(".opener")) == 1, "one rule")
    browser.press(Keys.ESCAPE)
    browser.wait_for(lambda: len(browser.all(".opener")) == 3, "all rules")
    browser.press(Keys.ESCAPE)
    browser.run("document.querySelector('.opener').focus()")
    browser.press(Keys.ENTER)
    browser.one(".details pre")
    browser.press(Keys.ESCAPE)
    browser.wait_for(lambda: not browser.all(".details"), "the rule closed again")
    browser.press("p")
    browser.wait_for_text("Paused: no copies are made")
    browser.press("p")
    browser.wait_for(lambda: "Paused: no copies" not in browser.text, "mirroring again")
    browser.press("1")
    browser.one(".plot")
    browser.run("document.querySelector('.plot').focus()")
    browser.press(Keys.ARROW_LEFT)
    browser.wait_for(lambda: browser.all(".plot .cross"), "the mark in the plot")


def differing(shop: Shop) -> int:
    """How many answers differ by now."""
    return int(shop.proxy.summary()["verdicts"]["differ"])


def test_what_has_the_focus_keeps_it_while_the_page_updates(browser: Browser, shop: Shop, page: str) -> None:
    view(browser, page, "differences")
    field = browser.one("input[type=search]")
    field.send_keys("pri")
    shop.browse(items=2)
    browser.wait_for(lambda: f"{differing(shop):,} of" in browser.text, "the new ones")
    field.send_keys("ce")
    assert field.get_attribute("value") == "price"


def test_the_theme_is_chosen_and_kept(browser: Browser, page: str) -> None:
    view(browser, page, "overview")
    dark = "return getComputedStyle(document.body).backgroundColor"
    light = browser.run(dark)
    browser.click("#theme")
    browser.click("#theme")
    assert browser.run(dark) != light
    browser.open("about:blank")
    view(browser, page, "overview")
    assert browser.run(dark) != light
    browser.click("#theme")
    assert browser.run(dark) == light


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A mirror with 10,000 rules."""
    here: Path = tmp_path_factory.mktemp("large")
    with RecordingServer() as primary, RecordingServer() as shadow:
        rules = "\n".join(
            f"      - {{name: rule-{number}, path: '/r{number}/{{id}}', destinations: [shadow]}}"
            for number in range(10_000)
        )
        head = f"version: 1\ndestinations: {{shadow: {{url: '{shadow.url}'}}}}\n"
        spec = f"{head}apis:\n  - name: big\n    traffic_mirror:\n{rules}\n"
        with proxy(here, spec, mode=f"reverse:{primary.url}") as running:
            for number in range(0, 10_000, 1000):
                exchange(running.port, request(f"/r{number}/1"))
            running.settled(10)
            yield running


def test_ten_thousand_rules_are_paged_and_searched(browser: Browser, large: Proxy) -> None:
    view(browser, large.page, "rules")
    browser.wait_for_text("1 to 50 of 10,000")
    assert len(browser.all(".opener")) == 50
    browser.run("[...document.querySelectorAll('.pager button')].find(b => b.textContent === 'Last').click()")
    browser.wait_for_text("9,951 to 10,000 of 10,000")
    browser.wait_for_text("rule-9999")
    browser.one("input[type=search]").send_keys("rule-7000")
    browser.wait_for_text("1 to 1 of 1 found, 10,000 in all")
    browser.open("about:blank")
    view(browser, large.page, "rules?show=used")
    browser.wait_for_text("1 to 10 of 10 found")


def test_before_the_first_copy_it_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    with proxy(tmp_path, SMALL) as running:
        view(browser, running.page, "overview")
        browser.wait_for_text("Ready, and no request has matched a rule yet")
        assert barriers(browser) == []
        for name in VIEWS:
            view(browser, running.page, name)


def test_when_the_mirror_hangs_the_page_says_so(browser: Browser, tmp_path: Path) -> None:
    with proxy(tmp_path, SMALL) as running:
        view(browser, running.page, "overview")
        worker = running.worker
        os.kill(worker, signal.SIGSTOP)
        try:
            browser.wait_for_text("no answer within 5 s", timeout=20)
            assert "No connection" in browser.one("#state").text
        finally:
            os.kill(worker, signal.SIGCONT)
        browser.open("about:blank")
        _ = browser.errors


def test_a_destinations_long_name_stays_on_its_card(browser: Browser, tmp_path: Path) -> None:
    with proxy(tmp_path, MANY) as running:
        for width in (1360, 390):
            browser.size(width, 900)
            view(browser, running.page, "overview")
            browser.wait_for(lambda: len(browser.all(".destination")) == 20, "all destinations")
            cards = "[...document.querySelectorAll('.destination')]"
            assert browser.run(f"return {cards}.every(it => it.scrollWidth <= it.clientWidth)")


def test_destinations_are_found_by_name_and_found_again(browser: Browser, tmp_path: Path) -> None:
    with proxy(tmp_path, MANY) as running:
        view(browser, running.page, "overview")
        field = browser.one("main input[type=search]")
        field.send_keys("REGION-07")
        browser.wait_for(lambda: len(browser.all(".destination")) == 1, "one destination")
        field.send_keys("x")
        browser.wait_for_text("None matches the filter.")
        field.send_keys(Keys.BACKSPACE)
        browser.wait_for(lambda: len(browser.all(".destination")) == 1, "it again")


def test_when_the_mirror_is_gone_the_page_says_so(browser: Browser, tmp_path: Path) -> None:
    with proxy(tmp_path, SMALL) as running:
        view(browser, running.page, "overview")
        running.interrupt()
        browser.wait_for_text("The mirror does not answer")
        assert "No connection" in browser.one("#state").text
    errors = [error for error in browser.errors if "ERR_CONNECTION_REFUSED" not in error]
    assert errors == []
    browser.open("about:blank")
    _ = browser.errors
