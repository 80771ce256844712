"""The table: a report as Markdown, and where its parts stand in other pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import Absent, Figure, Plot, Report, Target
from benchmarks.scaling import basis_of, render_plan

_BUSY = ": **the machine was busy, and these figures are worth little**"
_DIGITS = {"ratio": 3, "µs": 1, "ms": 2, "s": 2, "MiB": 1, "/s": 0, "%": 1}


def render(report: Report) -> str:
    """The whole of RESULTS.md."""
    parts = ["# Results", _introduction(report), render_machine(report)]
    for group in dict.fromkeys(figure.group for figure in report.figures):
        parts += [f"## {group}", render_figures([each for each in report.figures if each.group == group])]
    if report.plots:
        parts += ["## How cost grows", render_plots(report.plots, "plots")]
    if (basis := basis_of(report)) is not None:
        parts += ["## Going past one machine", render_plan(basis)]
    if report.absent:
        parts += ["## Not measured", render_absent(report.absent)]
    return "\n\n".join(parts) + "\n"


def render_machine(report: Report) -> str:
    """The machine, as a list."""
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions)
    rows = (
        ("Made by", f"`{report.command}`, {report.taken}, in {report.seconds / 60:.0f} min"),
        ("Processor", f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB of memory"),
        ("System", f"{machine.system}, Python {machine.python}; {versions}"),
        ("Cores", machine.pinning),
        ("Load average before", f"{machine.load_before:g}{_BUSY if machine.load_before > 0.5 else ''}"),
    )
    return "\n".join(f"- {name}: {text}" for name, text in rows)


def render_figures(figures: Sequence[Figure]) -> str:
    """Figures of one group as a table: what each should reach, what it is, how far apart its samples are."""
    targets = any(figure.target for figure in figures)
    lines = [
        "| figure | target | measured | lowest … highest | how |"
        if targets
        else "| figure | measured | lowest … highest | how |",
        "|---|--:|--:|--:|---|" if targets else "|---|--:|--:|---|",
    ]
    for figure in figures:
        spread = figure.spread
        cells = [
            figure.name,
            *([_target(figure)] if targets else []),
            f"**{_value(figure, spread.median)}**{_verdict(figure)}",
            f"{_value(figure, spread.low)} … {_value(figure, spread.high)} ({spread.count})",
            figure.how,
        ]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def render_plots(plots: Sequence[Plot], folder: str) -> str:
    """The plots as images, each with its figures in words, for who can't see them."""
    parts = []
    for plot in plots:
        parts.append(f"![{plot.title}]({folder}/{plot.key}.svg)")
        parts += [
            f"- {line.name}: " + ", ".join(f"{_short(y)} at {_short(x)} {plot.x}" for x, y in line.points)
            for line in plot.lines
        ]
        parts.append("")
    return "\n".join(parts).strip()


def render_absent(absent: Sequence[Absent]) -> str:
    """What was not measured, and why."""
    return "\n".join(
        f"- {each.name}: {'it broke: ' if each.broken else ''}{_one_line(each.why)}" for each in absent
    )


def update_page(page: str, report: Report) -> str:
    """The page on performance with what this run measured in its sections; the others stay as they are."""
    stages = [figure for figure in report.figures if figure.key.startswith(("hook", "stage"))]
    if stages:
        page = replace_section(page, "stages", render_figures(stages))
    if report.plots:
        page = replace_section(page, "growth", render_plots(report.plots, "../benchmarks/plots"))
    if (basis := basis_of(report)) is not None:
        page = replace_section(page, "plan", f"{render_plan(basis)}\n\n{render_machine(report)}")
    return page


def replace_section(page: str, name: str, text: str) -> str:
    """`page` with all between `<!-- name -->` and `<!-- /name -->` replaced. ValueError without them."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"found no section {name} in the page, expected {begin.strip()} … {end}")
    return f"{before}{begin}{text}\n{end}{after}"


def _introduction(report: Report) -> str:
    missed = [figure for figure in report.figures if _missed(figure)]
    wanted = sum(1 for figure in report.figures if figure.target)
    text = f"{wanted - len(missed)} of {wanted} targets are met."
    if missed:
        text += (
            " Missed: "
            + "; ".join(f"{figure.name} ({_value(figure, figure.spread.median)})" for figure in missed)
            + "."
        )
    return (
        f"What mirroring costs, measured on one machine in one run. {text} Every figure is the median over "
        "rounds, with the lowest and highest round beside it. Rounds are interleaved, each starts its proxy "
        "anew, and a ratio is made within a round. `make bench` makes this page again on your machine."
    )


def _missed(figure: Figure) -> float:
    return figure.target.missed_by(figure.spread.median) if figure.target else 0.0


def _target(figure: Figure) -> str:
    target: Target | None = figure.target
    return f"{target.kind} {target.limit:,g}" if target else ""


def _verdict(figure: Figure) -> str:
    if figure.target is None:
        return ""
    missed = _missed(figure)
    return f", missed by {_value(figure, missed)}" if missed else ", met"


def _value(figure: Figure, value: float) -> str:
    unit = "" if figure.unit == "ratio" else figure.unit
    return f"{value:,.{_DIGITS[figure.unit]}f}{'' if unit in ('', '/s', '%') else ' '}{unit}"


def _short(value: float) -> str:
    """Three digits, or all of a whole number's."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
