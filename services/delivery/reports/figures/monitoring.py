"""A window of production: how far each column moved, its bins beside the hold-out's, what came and how fast."""

from collections.abc import Sequence

from services.contract.monitoring import Bin, ColumnDrift, Drift, LiveMetric, Traffic
from services.delivery.reports import words
from services.delivery.reports.drawing import COLORS, Canvas, Plot

_MOST_ROWS = 20
_ROW = 26
_TONES = {Drift.STABLE: "pass", Drift.DRIFTED: "fail", Drift.TOO_FEW: "inconclusive"}
_LEFT = 118


def indexes(columns: Sequence[ColumnDrift]) -> Plot | None:
    """Of all columns that have one: the index as a bar, and what chance seldom exceeds as a line across it."""
    shown = [one for one in columns if one.psi is not None][:_MOST_ROWS]
    if not shown:
        return None
    canvas = Canvas(_ROW * len(shown) + 52, left=_LEFT)
    for place, one in enumerate(shown):
        tone = COLORS[_TONES[one.verdict]] if one.counts else COLORS["muted"]
        canvas.axes.barh(place, one.psi or 0.0, height=0.6, color=tone)
        limit = one.psi_limit or 0.0
        canvas.axes.plot((limit, limit), (place - 0.42, place + 0.42), color=COLORS["ink"], linewidth=2)
    canvas.axes.set_yticks(range(len(shown)), [words.short(one.name, 16) for one in shown])
    canvas.axes.invert_yaxis()
    canvas.axes.set(xlabel="population stability index")
    canvas.axes.locator_params(axis="x", nbins=5)
    caption = "How far each column is from the hold-out. Chance alone seldom reaches the line across a bar."
    return canvas.plot("How far the columns moved", caption)


def column(one: ColumnDrift) -> Plot:
    """Bars of the window beside those of the hold-out."""
    title = {"texts": f"Length of {words.short(one.name, 24)}"}.get(one.kind, words.short(one.name, 34))
    if one.kind == "categories":
        return _words(title, one.bins)
    canvas = Canvas(236, bottom=92)
    _pairs(canvas, one.bins, upright=True)
    names = [words.short(found.name, 15) for found in one.bins]
    canvas.axes.set_xticks(range(len(names)), names, rotation=50, ha="right")
    most = max(max(found.before, found.now) for found in one.bins)
    canvas.axes.set(ylabel="% of rows", ylim=(0, 135 * most))
    canvas.axes.legend(frameon=False, handlelength=1.0, borderaxespad=0.2, ncols=2)
    return canvas.plot(title, "Share of rows in the bins that each have about a tenth of the hold-out.")


def _words(title: str, bins: Sequence[Bin]) -> Plot:
    canvas = Canvas(_ROW * len(bins) + 84, left=_LEFT, top=32)
    _pairs(canvas, bins, upright=False)
    canvas.axes.set_yticks(range(len(bins)), [words.short(found.name, 16) for found in bins])
    canvas.axes.invert_yaxis()
    canvas.axes.set(xlabel="% of rows")
    canvas.axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, handlelength=1.0, borderaxespad=0.2
    )
    return canvas.plot(title, "Share of rows; rare values are together, and of many those that moved most are shown.")


def _pairs(canvas: Canvas, bins: Sequence[Bin], upright: bool) -> None:
    draw = canvas.axes.bar if upright else canvas.axes.barh
    for shift, name, color in ((-0.2, "hold-out", COLORS["candidate"]), (0.2, "production", COLORS["live"])):
        shares = [100 * (one.before if shift < 0 else one.now) for one in bins]
        draw([place + shift for place in range(len(bins))], shares, 0.4, color=color, label=name)


def volume(traffic: Traffic) -> Plot | None:
    """Requests by the time, those with an error on top."""
    if not traffic.volume:
        return None
    canvas = Canvas(220, bottom=70)
    fine = [one.requests - one.errors for one in traffic.volume]
    errors = [one.errors for one in traffic.volume]
    places = range(len(fine))
    canvas.axes.bar(places, fine, color=COLORS["candidate"], width=0.9, label="answered")
    if any(errors):
        canvas.axes.bar(places, errors, bottom=fine, color=COLORS["fail"], width=0.9, label="with an error")
        canvas.axes.legend(frameon=False, handlelength=1.0, borderaxespad=0.2, ncols=2)
        canvas.axes.set_ylim(top=1.3 * max(one.requests for one in traffic.volume))
    every = max(1, -(-len(fine) // 5))
    ticks = list(places)[::every]
    canvas.axes.set_xticks(ticks, [f"{traffic.volume[one].at:%m-%d %H:%M}" for one in ticks], rotation=30, ha="right")
    canvas.axes.set(ylabel="requests")
    canvas.axes.yaxis.set_major_formatter(lambda value, _: words.tick(value))
    return canvas.plot(
        "Logged requests", "By the time (UTC) at which they were answered; times without any are left out."
    )


def latency(traffic: Traffic) -> Plot | None:
    if not traffic.latency_ms:
        return None
    shares = list(traffic.latency_ms)
    canvas = Canvas(_ROW * len(shares) + 52, left=70, right=66)
    canvas.axes.barh(range(len(shares)), list(traffic.latency_ms.values()), height=0.6, color=COLORS["candidate"])
    for place, value in enumerate(traffic.latency_ms.values()):
        canvas.axes.text(value, place, f" {words.number(value)} ms", va="center", color=COLORS["ink"])
    canvas.axes.set_yticks(range(len(shares)), [f"{100 * float(share):g}%" for share in shares])
    canvas.axes.invert_yaxis()
    canvas.axes.set(xlabel="milliseconds")
    canvas.axes.locator_params(axis="x", nbins=4)
    return canvas.plot("What a request takes", "So many of the answered requests took no longer.")


def metric(found: LiveMetric | None) -> Plot | None:
    """Both intervals, one below the other."""
    if found is None:
        return None
    canvas = Canvas(124, left=86, top=12)
    sides = ("promised", found.promised, COLORS["candidate"]), ("live", found.live, COLORS["live"])
    for place, (_, one, color) in enumerate(sides):
        canvas.axes.plot((one.low, one.high), (place, place), color=color, linewidth=6)
        canvas.axes.plot(one.value, place, "o", color=color, markersize=9)
    canvas.axes.set_yticks((0, 1), [name for name, _, _ in sides])
    canvas.axes.set(ylim=(1.5, -0.5), xlabel=words.metric(found.metric))
    canvas.axes.locator_params(axis="x", nbins=4)
    canvas.axes.xaxis.set_major_formatter(lambda value, _: words.tick(value))
    sure = f"{found.live.confidence:.0%}"
    caption = f"The dot is the metric, the bar its {sure} interval: on the hold-out, and on rows with a label."
    return canvas.plot(f"{words.metric(found.metric).capitalize()}, promised and live", caption)
