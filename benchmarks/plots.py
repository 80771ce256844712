"""Plots as SVG, drawn by hand: axes, lines, points, a legend. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.report import Plot

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 72, 52
COLOURS = ("#1f6feb", "#c2410c", "#15803d", "#7e22ce")


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: the ends of its range, whether it is logarithmic, and where on the page it runs."""

    low: float
    high: float
    log: bool
    start: float
    end: float

    def place(self, value: float) -> float:
        """Where on the page a value is."""
        scale: Callable[[float], float] = math.log10 if self.log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values along the axis."""
        if self.log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [step * n for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)


def draw(plot: Plot) -> str:
    """The plot as an SVG document."""
    xs = [x for line in plot.lines for x, _ in line.points]
    ys = [y for line in plot.lines for _, y in line.points]
    across = _axis(xs, log=plot.log_x, start=LEFT, end=WIDTH - RIGHT)
    up = _axis(ys, log=plot.log_y, start=HEIGHT - BOTTOM, end=TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        "<style>text {font: 12px sans-serif}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 20, plot.title, "start", 'style="font: bold 14px sans-serif"'),
        *_grid(across, up),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, plot.x, "middle"),
        _text(LEFT, TOP - 10, plot.y, "middle"),
        *_lines(plot, across, up),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axis(values: Sequence[float], *, log: bool, start: float, end: float) -> Axis:
    if log:
        low, high = 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values)))
        return Axis(low, high if high > low else low * 10, True, start, end)
    high = max(values) or 1.0
    step = round_step(high / 5)
    return Axis(0.0, step * math.ceil(high / step - 1e-9), False, start, end)


def _grid(across: Axis, up: Axis) -> list[str]:
    parts = []
    for x in across.ticks():
        at = across.place(x)
        parts.append(f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#e5e7eb"/>')
        parts.append(_text(at, HEIGHT - BOTTOM + 18, f"{x:,g}", "middle"))
    for y in up.ticks():
        at = up.place(y)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#e5e7eb"/>')
        parts.append(_text(LEFT - 8, at + 4, f"{y:,g}", "end"))
    return parts


def _lines(plot: Plot, across: Axis, up: Axis) -> list[str]:
    parts = []
    for number, line in enumerate(plot.lines):
        colour = COLOURS[number % len(COLOURS)]
        places = [(across.place(x), up.place(y)) for x, y in line.points]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        parts.append(_text(WIDTH - RIGHT, 20 + 16 * number, line.name, "end", f'fill="{colour}"'))
    return parts


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
