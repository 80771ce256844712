"""The documentation: its links lead somewhere, its specs are valid, its index is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from traffic_mirror.spec.reader import parse_spec

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)")
SPEC = re.compile(r"```ya?ml\n(version: 1\n.*?)```", re.DOTALL)
EVERYTHING = dict.fromkeys(("SHADOW_TOKEN", "TOKEN"), "x")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    dead = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert not dead


@pytest.mark.parametrize("page", [page for page in PAGES if SPEC.search(page.read_text())], ids=name)
def test_whole_specs_in_the_text_are_valid(page: Path) -> None:
    for number, text in enumerate(SPEC.findall(page.read_text())):
        parse_spec([(f"{page.name}, spec {number}", text.encode())], EVERYTHING)


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target).resolve() for target in LINK.findall(index.read_text())}
    pages = {page for page in PAGES if page.parent == index.parent and page != index}
    assert not sorted(map(name, pages - listed))


def test_the_readme_fits_two_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100
