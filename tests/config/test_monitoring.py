"""The files for Prometheus and Grafana: they load, fire when they should, and ask for metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs import find
from traffic_mirror.ledger import Count
from traffic_mirror.wire.frames import VerdictCount
from traffic_mirror.worker import metrics
from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.view import View

HERE = Path(__file__).parent
CONFIG = HERE.parent.parent / "config"
RULES = CONFIG / "prometheus" / "rules.yaml"
DASHBOARD = CONFIG / "grafana" / "dashboard.json"
METRIC = re.compile(r"\bmirror_[a-z_]+")


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [find("promtool") or "promtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rendered() -> str:
    """Metrics of accounts in which every family has a series."""
    accounts = Accounts()
    accounts.set_base(
        (Count("a", "r", "d", "delivered", "2xx", 1),), (VerdictCount("a", "r", "d", "match", 1),)
    )
    accounts.histogram("d").observe(0.1)
    return metrics.render(View(accounts, ())).decode()


def families() -> set[str]:
    """Every name that a scrape may hold."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", rendered(), re.MULTILINE):
        names |= {f"{name}{end}" for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def walk(value: Any) -> Iterator[str]:
    """Every expression in a dashboard, its variables as their least restrictive values."""
    if isinstance(value, dict):
        if isinstance(value.get("expr"), str):
            yield value["expr"]
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def dashboard_expressions() -> list[str]:
    return [
        re.sub(r"\$__(rate_interval|range)", "5m", expression)
        .replace('"$instance"', '".*"')
        .replace('"$destination"', '".*"')
        for expression in walk(json.loads(DASHBOARD.read_text()))
    ]


def rule_expressions() -> list[str]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


@pytest.mark.needs("promtool")
def test_the_alert_rules_are_clean() -> None:
    promtool("check", "rules", RULES)


@pytest.mark.needs("promtool")
def test_each_alert_fires_when_it_should() -> None:
    promtool("test", "rules", HERE / "rules-test.yaml")


@pytest.mark.needs("promtool")
def test_the_dashboards_expressions_are_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"e{number}", "expr": expression}
        for number, expression in enumerate(dashboard_expressions())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", file)


@pytest.mark.parametrize("expression", [*rule_expressions(), *dashboard_expressions()])
def test_every_metric_asked_for_exists(expression: str) -> None:
    asked = set(METRIC.findall(expression))
    assert asked - families() == set()


def test_panels_have_titles_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert all(panel["title"] and panel["targets"] for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
