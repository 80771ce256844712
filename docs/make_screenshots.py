"""Makes the pictures in `docs/images` from a running demo: `python -m docs.make_screenshots`.

It takes about three minutes, Debian's `chromium` and `chromium-driver`, and `pngquant` to make the pictures
small. `fonts-inter` and `fonts-noto-color-emoji` make them look as they do here.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from selenium.webdriver.common.by import By

from demo.proxy import ROOT, Proxy, port_near, proxy
from demo.services import service
from demo.traffic import Traffic
from tests.browser.chromium import Browser, chromium
from tests.waiting import wait_until

Act = Callable[[], None]

IMAGES = ROOT / "docs" / "images"
PASSWORD = "pictures"  # noqa: S105 - of a mitmweb on loopback that lives for three minutes
WIDTH = 1280
WARM_UP = 40.0  # seconds with every destination there
TROUBLE = 50.0  # seconds with one gone

_SPEC = """\
version: 1
destinations:
  rewrite: {{url: "{rewrite}", headers: {{X-Env: rewrite}}}}
  eu-west: {{url: "{eu}", timeout: 2s}}
apis:
  - name: shop
    hosts: ["127.0.0.1"]
    compare: true
    traffic_mirror:
      - {{name: read-user, path: "/users/{{id}}", method: GET, destinations: [rewrite, eu-west]}}
      - {{name: read-item, path: "/items/{{id:[0-9]+}}", method: GET, destinations: [rewrite, eu-west]}}
      - {{name: report, path: "/reports/*", method: GET, sample_rate: 0.5, destinations: [rewrite]}}
      - {{name: order, path: /orders, method: POST, destinations: [rewrite]}}
      - {{name: refund, path: /refunds, method: POST, destinations: [rewrite], max_rate: 5/s}}
"""


_REGION = """\
import time
from demo.services import service
with service(port=0, shadow=False) as url:
    print(url, flush=True)
    time.sleep(600)
"""


def main() -> None:
    """Runs the demo and takes every picture."""
    with contextlib.ExitStack() as stack:
        here = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(chromium(here / "profile"))
        primary = stack.enter_context(service(port=0, shadow=False))
        rewrite = stack.enter_context(service(port=0, shadow=True))
        leaving = stack.enter_context(contextlib.ExitStack())
        eu = leaving.enter_context(_other_region())
        spec = here / "shop.yaml"
        spec.write_text(_SPEC.format(rewrite=rewrite, eu=eu))
        running = stack.enter_context(_mirror(primary, spec, here))
        wait_until(lambda: running.port and running.page and running.web, 30, "the mirror")
        with contextlib.ExitStack() as visitors:
            for _ in range(4):
                visitors.enter_context(Traffic(running.port).flowing())
            time.sleep(WARM_UP)
            leaving.close()
            time.sleep(TROUBLE)
            _picture_page(browser, running)
        _picture_mitmweb(browser, running)


@contextlib.contextmanager
def _other_region() -> Iterator[str]:
    """A second primary in a process of its own, whose end breaks every connection to it; yields its URL."""
    with subprocess.Popen(
        [sys.executable, "-c", _REGION], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _mirror(primary: str, spec: Path, here: Path) -> contextlib.AbstractContextManager[Proxy]:
    settings = {
        "confdir": str(here / "conf"),
        "mirror_spec": str(spec),
        "mirror_listen": "127.0.0.1:0",
        "mirror_shown": "5000",
        "listen_host": "127.0.0.1",
        "listen_port": "0",
        "web_port": str(port_near(8081)),
        "web_password": PASSWORD,
    }
    return proxy("mitmweb", f"reverse:{primary}", settings, {}, lambda _: False)


def _picture_page(browser: Browser, running: Proxy) -> None:
    def page(view: str, width: int = WIDTH, scheme: str = "light", act: Act | None = None) -> None:
        browser.prefer(scheme)
        browser.size(width, 900)
        browser.open("about:blank")
        browser.open(f"{running.page}/#{view}")
        browser.one(f"#content[data-view={view}] > *")
        browser.wait_for(lambda: "Reading…" not in browser.text, view)
        if act is not None:
            act()
        height = int(browser.run("return document.documentElement.scrollHeight"))
        browser.size(width, min(height, 2600))

    page("overview")
    _save(browser, "page-overview")
    page("overview", scheme="dark")
    _save(browser, "page-dark")
    page("overview", width=390)
    browser.size(390, 1500)
    _save(browser, "page-narrow")
    page("differences", act=lambda: _open(browser, ".group .head", ".examples"))
    _save(browser, "page-differences")
    page("rules", act=lambda: _open(browser, ".opener", ".details pre"))
    _save(browser, "page-rules")
    page("ledger", scheme="dark")
    _save(browser, "page-ledger")


def _picture_mitmweb(browser: Browser, running: Proxy) -> None:
    browser.prefer("light")
    browser.size(WIDTH, 620)
    browser.open(f"{running.web.partition('?')[0]}?token={PASSWORD}")
    _find_flows(browser)
    _save(browser, "mitmweb-flows")
    browser.size(WIDTH, 1000)
    _open_diff(browser)
    _save(browser, "mitmweb-diff")


def _open(browser: Browser, what: str, then: str) -> None:
    browser.click(what)
    browser.one(then)


def _find_flows(browser: Browser) -> None:
    browser.one(".flow-table tr.has-request")
    browser.fill("input[placeholder=Search]", "~u items.7 | ~u users.12")
    browser.wait_for(lambda: len(browser.all(".flow-table tr.has-request")) > 5, "flows")
    time.sleep(1)


def _open_diff(browser: Browser) -> None:
    browser.fill("input[placeholder=Search]", '~comment "copy of .*differs"')
    copies = "return [...document.querySelectorAll('.flow-table tr.has-request')].every(%s)"
    copies %= "it => it.querySelector('.fa-repeat.pull-right')"
    browser.wait_for(lambda: browser.run(copies), "copies that differ")
    browser.all(".flow-table tr.has-request .col-path")[0].click()
    browser.one(".flow-detail")
    next(link for link in browser.all(".flow-detail .nav-tabs a") if link.text == "Response").click()
    browser.one(".contentview .controls")
    browser.driver.find_elements(By.CSS_SELECTOR, ".contentview .controls a")[-1].click()
    next(link for link in browser.all("a") if link.text.strip().lower() == "mirror diff").click()
    browser.wait_for_text("+++ copy")
    browser.run("document.querySelector('.flow-detail section').scrollTop = 100000")


def _save(browser: Browser, name: str) -> None:
    file = IMAGES / f"{name}.png"
    time.sleep(0.5)  # fonts, and the last of what moves
    browser.picture(file)
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--skip-if-larger", "--ext", ".png", "128", file], check=False)


if __name__ == "__main__":
    main()
