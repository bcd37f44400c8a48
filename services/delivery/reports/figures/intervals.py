"""Intervals: of metrics against their bounds, of slices one below another, of the difference to the live model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from services.contract.comparison import Comparison, Difference
from services.contract.verdict import Check, Estimate, Verdict
from services.delivery.reports import words
from services.delivery.reports.drawing import COLORS, WIDTH, Canvas, Plot

SLICES = "slices"
MOST_ROWS = 24
_ROW = 62
_LABELS = 124
_WORST = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}


@dataclass(frozen=True)
class _Line:
    """A row of a forest plot; `limits` are where the interval must not be."""

    label: str
    rows: int
    value: float
    low: float
    high: float
    limits: tuple[float, ...]
    verdict: Verdict


def bounds(checks: Sequence[Check], unit: str = "") -> Plot | None:
    """Each metric of all rows on a line of its own, because each has its own unit."""
    shown = [(one, one.estimate) for one in checks if one.estimate and one.gate != SLICES]
    if not shown:
        return None
    canvas = Canvas(_ROW * len(shown), left=0, right=0, top=0, bottom=0)
    canvas.axes.set(xlim=(0, WIDTH), ylim=(canvas.height, 0))
    canvas.axes.axis("off")
    for place, (check, estimate) in enumerate(shown):
        _bound_row(canvas, _ROW * place, check, estimate, unit)
    return canvas.plot(
        "Metrics against their bounds",
        f"The dot is the metric, the bar its {shown[0][1].confidence:.0%} interval, the dashed line the bound. A bar "
        "that crosses its bound decides nothing.",
    )


def _bound_row(canvas: Canvas, top: int, check: Check, estimate: Estimate, unit: str) -> None:
    color = COLORS[check.verdict]
    limits = [one for one in (estimate.min, estimate.max) if one is not None]
    left, right = min(estimate.low, *limits), max(estimate.high, *limits)
    stretch = (WIDTH - 48) / ((right - left) or 1.0)

    def at(value: float) -> float:
        return 24 + (value - left) * stretch

    middle, text = top + 31, canvas.axes.text
    text(0, top + 13, words.metric(check.name), color=COLORS["ink"])
    of_unit = f" {unit}" if unit and estimate.metric in words.IN_UNITS else ""
    text(WIDTH, top + 13, f"{words.number(estimate.value)}{of_unit}", color=color, ha="right", weight="bold")
    canvas.axes.plot((0, WIDTH), (middle, middle), color=COLORS["line"], linewidth=1)
    canvas.axes.plot((at(estimate.low), at(estimate.high)), (middle, middle), color=color, linewidth=6)
    canvas.axes.plot(at(estimate.value), middle, "o", color=color, markersize=9)
    for sign, limit in (("≥", estimate.min), ("≤", estimate.max)):
        if limit is not None:
            _limit(canvas, at(limit), middle, f"{sign} {words.number(limit)}")


def _limit(canvas: Canvas, x: float, middle: float, label: str) -> None:
    canvas.axes.plot((x, x), (middle - 9, middle + 9), color=COLORS["ink"], linewidth=1.5, linestyle=(0, (3, 2)))
    place = "left" if x < 48 else "right" if x > WIDTH - 48 else "center"
    edge = {"left": max(x - 8, 0), "right": min(x + 8, WIDTH), "center": x}[place]
    canvas.axes.text(edge, middle + 22, label, color=COLORS["muted"], ha=place)


def slices(checks: Sequence[Check]) -> list[Callable[[], Plot]]:
    """A forest plot for each metric that slices are held against."""
    judged = [(one, one.estimate) for one in checks if one.gate == SLICES and one.estimate]
    metrics = dict.fromkeys(estimate.metric for _, estimate in judged)
    return [partial(_slices, name, [pair for pair in judged if pair[1].metric == name]) for name in metrics]


def _slices(metric: str, judged: Sequence[tuple[Check, Estimate]]) -> Plot:
    lines = [
        _Line(
            slice_name(check.name, metric), one.rows, one.value, one.low, one.high,
            tuple(limit for limit in (one.min, one.max) if limit is not None), check.verdict,
        )
        for check, one in judged
    ]  # fmt: skip
    title = f"{words.metric(metric).capitalize()} by slice"
    caption = "The dot is the metric on a slice's rows, the bar its interval, the dotted line the slice's bound."
    return _forest(title, caption, lines, words.metric(metric))


def slice_name(name: str, metric: str) -> str:
    """What is left of a check's name when its metric is told elsewhere."""
    left = name.replace(metric, "").strip(" :,-")
    for word in ("of ", "in ", "on ", "for ", "where "):
        left = left.removeprefix(word)
    return left.strip(" :,-") or name


def differences(found: Sequence[Difference], metric: str) -> Plot | None:
    """The slices in the metric that decides; those of others are in the table only."""
    sliced = [one for one in found if one.slice is not None and one.metric == metric]
    if not sliced:
        return None
    lines = [
        _Line(str(one.slice), one.rows, one.better_by, one.low, one.high, (-one.allowed,), one.verdict)
        for one in sliced
    ]
    caption = (
        "How much better the candidate is on a slice's rows, with its interval. Left of the dotted line is too bad."
    )
    return _forest(f"Difference in {words.metric(metric)} by slice", caption, lines, "better by", zero=True)


def _forest(title: str, caption: str, lines: Sequence[_Line], x_label: str, zero: bool = False) -> Plot:
    shown = sorted(lines, key=lambda line: _WORST[line.verdict])[:MOST_ROWS] if len(lines) > MOST_ROWS else lines
    canvas = Canvas(34 * len(shown) + 44, left=_LABELS, top=4, bottom=40)
    axes = canvas.axes
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlabel=x_label, yticks=[])
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda value, _: words.tick(value))
    axes.spines["left"].set_visible(False)
    if zero:
        axes.axvline(0, color=COLORS["muted"], linewidth=1)
    for place, line in enumerate(shown):
        color = COLORS[line.verdict]
        axes.plot((line.low, line.high), (place, place), color=color, linewidth=4)
        axes.plot(line.value, place, "o", color=color, markersize=7)
        for limit in line.limits:
            axes.plot((limit, limit), (place - 0.42, place + 0.42), color=COLORS["ink"], linewidth=1.5, linestyle=":")
        _label(canvas, place, line)
    if len(shown) < len(lines):
        caption += f" The {len(shown)} worst of {len(lines)} are drawn."
    return canvas.plot(title, caption)


def _label(canvas: Canvas, place: int, line: _Line) -> None:
    transform = canvas.axes.get_yaxis_transform()
    at = -_LABELS / (WIDTH - _LABELS - 12)
    canvas.axes.text(at, place - 0.05, words.short(line.label, 18), transform=transform, color=COLORS["ink"])
    canvas.axes.text(at, place + 0.36, words.count(line.rows, "row"), transform=transform, color=COLORS["muted"])


def difference(comparison: Comparison) -> Plot | None:
    """The interval that decides, with zero and the margin."""
    found, interval, allowed = comparison.difference, comparison.interval, comparison.allowed
    if found is None or interval is None or allowed is None:
        return None
    canvas = Canvas(118, left=12, right=12, top=30, bottom=42)
    axes, color = canvas.axes, COLORS[comparison.verdict]
    left, right = min(*interval, -allowed, 0.0), max(*interval, 0.0)
    spare = 0.08 * ((right - left) or 1.0)
    axes.set(
        xlim=(left - 2 * spare, right + spare),
        ylim=(-1, 1),
        yticks=[],
        xlabel=f"better by, {words.metric(comparison.metric)}",
    )
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(lambda value, _: words.tick(value))
    axes.spines["left"].set_visible(False)
    axes.axvspan(left - 2 * spare, -allowed, color=COLORS["fail"], alpha=0.12, linewidth=0)
    axes.axvline(-allowed, color=COLORS["fail"], linewidth=1.5, linestyle=(0, (3, 2)))
    axes.axvline(0, color=COLORS["muted"], linewidth=1)
    axes.plot(interval, (0, 0), color=color, linewidth=6)
    axes.plot(found, 0, "o", color=color, markersize=9)
    at = (found - left + 2 * spare) / (right - left + 3 * spare)
    place = "left" if at < 0.4 else "right" if at > 0.6 else "center"
    label = f"{words.signed(found)}  [{words.signed(interval[0])}, {words.signed(interval[1])}]"
    edge = {"left": 0.0, "right": 1.0, "center": at}[place]
    axes.text(edge, 1.12, label, transform=axes.transAxes, ha=place, color=color, weight="bold")
    return canvas.plot(
        "Difference to the live model",
        f"The bar is the {comparison.confidence:.0%} interval of how much better the candidate is. In the shaded part, "
        f"left of {words.signed(-allowed)}, it is worse by more than the margin allows.",
    )
