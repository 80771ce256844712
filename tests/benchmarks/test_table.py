from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from benchmarks.plots import draw
from benchmarks.report import (
    Absent,
    Figure,
    Line,
    Machine,
    Plot,
    Report,
    Spread,
    Target,
    Unit,
    load_report,
    save_report,
)
from benchmarks.scaling import Basis, basis_of, plan
from benchmarks.table import render, replace_section, update_page

MACHINE = Machine(
    cpu="Example 9000",
    cores=2,
    memory_gib=8.0,
    system="Linux 6.1 x86_64",
    python="3.12.1",
    versions=(("mitmproxy", "12.2.3"),),
    pinning="proxy alone on core 1",
    load_before=0.1,
)


def figure(
    key: str, value: float, *, unit: Unit = "ratio", target: Target | None = None, how: str = ""
) -> Figure:
    return Figure(
        key=key,
        group="Throughput",
        name=key,
        unit=unit,
        spread=Spread(value, value - 0.01, value + 0.01, 7),
        target=target,
        how=how,
    )


def report(*figures: Figure, plots: tuple[Plot, ...] = (), absent: tuple[Absent, ...] = ()) -> Report:
    return Report(
        machine=MACHINE,
        command="python -m benchmarks",
        taken="2026-01-02 03:04 UTC",
        seconds=600,
        figures=figures,
        plots=plots,
        absent=absent,
    )


def test_a_row_says_target_value_and_spread() -> None:
    page = render(report(figure("one", 0.957, target=Target("≥", 0.95), how="a | b")))
    assert "| one | ≥ 0.95 | **0.957**, met | 0.947 … 0.967 (7) | a / b |" in page
    assert "1 of 1 targets are met." in page


def test_a_missed_target_is_named_and_says_by_how_much() -> None:
    page = render(report(figure("one", 0.9, target=Target("≥", 0.95)), figure("hook", 18.58, unit="µs")))
    assert "**0.900**, missed by 0.050" in page
    assert "0 of 1 targets are met. Missed: one (0.900)." in page
    assert "| hook |  | **18.6 µs** |" in page


def test_the_machine_and_the_command_are_there() -> None:
    page = render(report(figure("one", 1.0)))
    assert "- Made by: `python -m benchmarks`, 2026-01-02 03:04 UTC, in 10 min" in page
    assert "- Processor: Example 9000, 2 cores, 8 GiB of memory" in page
    assert "- Cores: proxy alone on core 1" in page


@pytest.mark.parametrize(("load", "warned"), [(0.1, False), (3.7, True)], ids=["quiet", "busy"])
def test_figures_from_a_busy_machine_carry_a_warning(load: float, warned: bool) -> None:
    page = render(
        msgspec.structs.replace(report(), machine=msgspec.structs.replace(MACHINE, load_before=load))
    )
    assert f"- Load average before: {load:g}" in page
    assert ("the machine was busy" in page) is warned


def test_what_was_not_measured_is_named() -> None:
    page = render(
        report(absent=(Absent("Envoy", "not installed"), Absent("latency", "no\nanswer", broken=True)))
    )
    assert "- Envoy: not installed\n- latency: it broke: no answer\n" in page


def test_a_plot_stands_with_its_figures_in_words() -> None:
    plot = Plot(
        key="rules", title="A match", x="rules", y="µs", lines=(Line("ours", ((10, 1.5), (10_000, 2.25))),)
    )
    page = render(report(plots=(plot,)))
    assert "![A match](plots/rules.svg)\n- ours: 1.5 at 10 rules, 2.25 at 10,000 rules" in page


@pytest.mark.parametrize("log", [False, True], ids=["linear", "logarithmic"])
def test_a_plot_is_drawn_within_its_frame(log: bool) -> None:
    points = ((10.0, 1.5), (100.0, 2.0), (10_000.0, 450.0))
    plot = Plot(key="p", title="A < B", x="x", y="y", lines=(Line("a", points),), log_x=log, log_y=log)
    svg = ET.fromstring(draw(plot))
    space = "{http://www.w3.org/2000/svg}"
    circles = svg.findall(f"{space}circle")
    assert len(circles) == 3
    for circle in circles:
        assert 70 <= float(circle.attrib["cx"]) <= 620
        assert 72 <= float(circle.attrib["cy"]) <= 308
    assert "A < B" in [text.text for text in svg.findall(f"{space}text")]


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    before = report(figure("one", 0.9, target=Target("≥", 0.95)), absent=(Absent("x", "y"),))
    save_report(before, tmp_path / "results.json")
    assert load_report(tmp_path / "results.json") == before


def test_a_plan_leaves_room_for_peaks() -> None:
    need = plan(
        Basis(requests=1000, copies=10_000, proxy_memory=64, worker_memory=40), 10_000, destinations=3
    )
    assert need.proxies == 15  # 10,000 / 700, rounded up
    assert need.worker_cores == 3.0
    assert need.pooled_workers == 5  # 30,000 / 7,000
    assert need.memory_gib == pytest.approx(15 * 104 / 1024)


def test_a_plan_rests_on_what_was_measured() -> None:
    figures = [
        figure("bare rate", 1000, unit="/s"),
        figure("retained one destination", 0.95),
        figure("worker rate", 12_000, unit="/s"),
        figure("memory mirrored proxy", 66, unit="MiB"),
        figure("memory worker one destination", 35, unit="MiB"),
    ]
    assert basis_of(report(*figures)) == Basis(950, 12_000, 66, 35)
    assert basis_of(report(*figures[1:])) is None
    assert "One proxy takes 950 requests a second" in render(report(*figures))


def test_a_section_is_replaced_and_the_rest_stays() -> None:
    page = "before\n<!-- profile -->\nold\n<!-- /profile -->\nafter\n"
    assert replace_section(page, "profile", "new\nlines") == (
        "before\n<!-- profile -->\nnew\nlines\n<!-- /profile -->\nafter\n"
    )
    with pytest.raises(ValueError, match="found no section plan"):
        replace_section(page, "plan", "new")


def test_the_page_on_performance_has_a_section_for_all_that_is_measured() -> None:
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()
    plot = Plot(key="rates", title="Busy", x="requests a second", y="%", lines=(Line("proxy", ((10, 1.5),)),))
    stage = figure("stage match it", 2.0, unit="µs")
    updated = update_page(page, report(stage, plots=(plot,)))
    assert "| stage match it | **2.0 µs** |" in updated
    assert "![Busy](../benchmarks/plots/rates.svg)" in updated
    assert update_page(updated, report(stage, plots=(plot,))) == updated


def test_what_was_not_measured_leaves_the_page_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()
    assert update_page(page, report(figure("bare rate", 1000, unit="/s"))) == page
