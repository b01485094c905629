"""Charts as static SVG, inline in the page: no script, no fonts of their own, the same bytes on every machine.

Altair describes them, vl-convert draws them, and `_inline` makes the drawing part of the page: one role and one title
for the whole figure (the numbers are in the table beside it), colours from the page's own light or dark palette. All
margins are stated here, never measured from text, so that the fonts of a machine cannot move a line.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import vl_convert
from markupsafe import Markup, escape

from icp.profile import Estimate
from icp.report.wording import shorten

NOW, BEFORE, INK, QUIET, GRID = "var(--now)", "var(--before)", "var(--ink)", "var(--quiet)", "var(--grid)"
ROW, PLOT = 23, 330
LOG_TICKS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16)
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")


@dataclass(frozen=True)
class Row:
    """One line of an interval chart; without estimates it is a heading."""

    label: str
    now: Estimate | None = None
    before: Estimate | None = None
    note: str = ""

    @property
    def is_heading(self) -> bool:
        """Whether the line only names the lines below it."""
        return self.now is None and self.before is None


@dataclass(frozen=True)
class Figure:
    """What a chart says for those who cannot see it, and the key that makes its ids unique in the page."""

    key: str
    title: str
    description: str


@dataclass(frozen=True)
class Ruler:
    """The horizontal axis: where it runs, its ticks, and the value that means "no difference"."""

    low: float
    high: float
    ticks: tuple[float, ...]
    reference: float
    title: str
    form: str
    kind: Literal["log", "linear"] = "linear"

    def clip(self, value: float) -> float:
        """The value, or the end of the axis it lies beyond."""
        return min(max(value, self.low), self.high)


def odds_ruler(estimates: Sequence[Estimate], odds_of: str = "winning") -> Ruler:
    """A logarithmic axis of odds multipliers around 1, from 1/16 to 16 at most (beyond that the bar is cut)."""
    lowest = min((e.low for e in estimates), default=1.0)
    highest = max((e.high for e in estimates), default=1.0)
    low = max((t for t in LOG_TICKS if t <= min(lowest, 0.5)), default=LOG_TICKS[0])
    high = min((t for t in LOG_TICKS if t >= max(highest, 2.0)), default=LOG_TICKS[-1])
    ticks = tuple(t for t in LOG_TICKS if low <= t <= high)
    return Ruler(low, high, ticks, 1.0, f"odds of {odds_of} against the average account (log scale)", "~g", "log")


def rate_ruler(estimates: Sequence[Estimate], reference: float, title: str) -> Ruler:
    """A percentage axis from 0 to the next step above the highest interval."""
    highest = max([e.high for e in estimates] + [reference, 0.05])
    step = next(s for s in (0.02, 0.05, 0.1, 0.2) if highest / s <= 6 or s == 0.2)
    ticks = tuple(round(i * step, 6) for i in range(int(-(-highest // step)) + 1))
    return Ruler(0.0, ticks[-1], ticks, reference, title, ".0%")


def interval_chart(rows: Sequence[Row], ruler: Ruler, figure: Figure, *, label_width: int = 200) -> Markup:
    """Estimates with their 95 % intervals, one line each: circle now, diamond before, rule at no difference."""
    lines = [_line(row, i * ROW + ROW / 2, ruler) for i, row in enumerate(rows)]
    height = len(rows) * ROW
    scale_y = alt.Scale(domain=[0, height], range=[0, height], nice=False, zero=False)
    layers = [_reference(ruler, height, scale_y)]
    layers += [layer for name in ("before", "now") for layer in _estimates(lines, name, ruler, scale_y)]
    layers += _texts(lines, scale_y, label_width)
    chart = alt.layer(*layers).properties(width=PLOT, height=height)
    return _inline(chart, figure, {"left": label_width, "right": 128, "top": 4, "bottom": 44})


def history_chart(points: Sequence[tuple[str, Estimate]], figure: Figure) -> Markup:
    """How well each quarter's ICP ranked the outcomes that followed: AUC by quarter with its interval, .5 is chance."""
    values = [{"quarter": q, "value": e.value, "low": e.low, "high": e.high} for q, e in points]
    base = alt.Chart(alt.Data(values=values))
    lowest = min([0.5] + [e.low for _, e in points])
    scale = alt.Scale(domain=[max(0.0, lowest - lowest % 0.1), 1.0], nice=False, zero=False)
    axis_y = alt.Axis(title=None, values=[i / 10 for i in range(11)], format=".1f")
    y, x = (
        alt.Y("value:Q", scale=scale, axis=axis_y),
        alt.X("quarter:O", sort=None, axis=alt.Axis(title=None, labelAngle=0)),
    )
    bars = base.mark_rule(color=NOW, strokeWidth=2).encode(x=x, y=alt.Y("low:Q", scale=scale, axis=axis_y), y2="high:Q")
    dots = base.mark_point(filled=True, size=64, color=NOW, opacity=1).encode(x=x, y=y)
    chance = base.mark_rule(color=QUIET, strokeDash=[4, 3]).encode(y=alt.Y(datum=0.5, scale=scale, axis=axis_y))
    chart = alt.layer(chance, bars, dots).properties(width=max(240, 64 * len(points)), height=150)
    return _inline(chart, figure, {"left": 36, "right": 12, "top": 8, "bottom": 28})


def _line(row: Row, y: float, ruler: Ruler) -> dict[str, Any]:
    line: dict[str, Any] = {"y": y, "label": shorten(row.label, 34), "note": row.note, "heading": row.is_heading}
    offset = 4.5 if row.now and row.before else 0.0
    for name, estimate, shift in (("now", row.now, -offset), ("before", row.before, offset)):
        if estimate is not None:
            ends = {part: ruler.clip(getattr(estimate, part)) for part in ("value", "low", "high")}
            line |= {f"{name}_{part}": end for part, end in ends.items()} | {f"{name}_y": y + shift}
    return line


def _axis(ruler: Ruler) -> alt.Axis:
    return alt.Axis(values=list(ruler.ticks), format=ruler.form, title=ruler.title)


def _x(field: str, ruler: Ruler) -> alt.X:
    scale = alt.Scale(type=ruler.kind, domain=[ruler.low, ruler.high], nice=False)
    return alt.X(f"{field}:Q", scale=scale, axis=_axis(ruler))


def _y(field: str, scale: alt.Scale) -> alt.Y:
    return alt.Y(f"{field}:Q", scale=scale, axis=None)


def _reference(ruler: Ruler, height: float, scale: alt.Scale) -> alt.Chart:
    data = alt.Data(values=[{"x": ruler.reference, "y": 0, "end": height}])
    return alt.Chart(data).mark_rule(color=QUIET).encode(x=_x("x", ruler), y=_y("y", scale), y2="end:Q")


def _estimates(lines: Sequence[dict[str, Any]], name: str, ruler: Ruler, scale: alt.Scale) -> list[alt.Chart]:
    shown = [line for line in lines if f"{name}_value" in line]
    if not shown:
        return []
    is_now = name == "now"
    base = alt.Chart(alt.Data(values=shown))
    y = _y(f"{name}_y", scale)
    bar = base.mark_rule(color=NOW if is_now else BEFORE, strokeWidth=2.5 if is_now else 1.5)
    dot = (
        base.mark_point(shape="circle", filled=True, size=70, color=NOW, opacity=1)
        if is_now
        else base.mark_point(
            shape="diamond", filled=True, size=56, fill="var(--paper)", stroke=BEFORE, strokeWidth=1.5, opacity=1
        )
    )
    return [
        bar.encode(x=_x(f"{name}_low", ruler), x2=f"{name}_high:Q", y=y),
        dot.encode(x=_x(f"{name}_value", ruler), y=y),
    ]


def _texts(lines: Sequence[dict[str, Any]], scale: alt.Scale, label_width: int) -> list[alt.Chart]:
    y = _y("y", scale)
    layers: list[alt.Chart] = []
    has_headings = any(line["heading"] for line in lines)
    for is_heading in (True, False):
        shown = [line for line in lines if line["heading"] is is_heading]
        if not shown:
            continue
        base = alt.Chart(alt.Data(values=shown))
        indent = 12 if has_headings and not is_heading else 0
        label = base.mark_text(align="left", color=INK, fontSize=12.5, fontWeight=600 if is_heading else 400)
        note = base.mark_text(align="left", color=QUIET, fontSize=11.5)
        layers.append(label.encode(x=alt.value(indent - label_width), y=y, text="label:N"))
        layers.append(note.encode(x=alt.value(PLOT + 12), y=y, text="note:N"))
    return layers


def _inline(chart: alt.LayerChart, figure: Figure, padding: dict[str, int]) -> Markup:
    """The chart as an `<svg role="img">` whose ids start with the figure's key."""
    shown = chart.properties(padding=padding, autosize=alt.AutoSizeParams(type="none"), background="transparent")
    shown = shown.configure_view(stroke=None).configure_axis(
        gridColor=GRID, domainColor=GRID, tickColor=GRID, labelColor=QUIET, titleColor=QUIET,
        labelFontSize=11, titleFontSize=11.5, titleFontWeight=400, labelFlush=False, titlePadding=8,
    )  # fmt: skip
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(shown.to_dict(validate=False)))
    _tidy(root)
    view_box = root.get("viewBox", "")
    inner = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    return Markup(
        f'<svg role="img" viewBox="{view_box}" style="--drawn:{view_box.split()[2]}px" '
        f'aria-labelledby="{figure.key}-title {figure.key}-desc">'
        f'<title id="{figure.key}-title">{escape(figure.title)}</title>'
        f'<desc id="{figure.key}-desc">{escape(figure.description)}</desc>{inner}</svg>'
    )


def _tidy(element: ElementTree.Element) -> None:
    """Drop what only the renderer needs: namespaces, per-mark roles, empty frames, digits below 1/100 of a pixel."""
    element.tag = element.tag.rpartition("}")[2]
    for name in [
        n for n in element.attrib if n.startswith("aria") or n in {"role", "class", "font-family", "pointer-events"}
    ]:
        del element.attrib[name]
    for name, value in element.attrib.items():
        element.set(name, _LONG_NUMBER.sub(lambda found: f"{float(found.group()):.2f}", value))
    for child in list(element):
        if child.get("class") in {"background", "foreground"}:
            element.remove(child)
        else:
            _tidy(child)
