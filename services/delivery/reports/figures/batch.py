"""How the answers of a batch are spread, over the deciles of those they are compared with, or over the labels."""

from services.contract.distribution import Distribution
from services.delivery.reports import words
from services.delivery.reports.drawing import COLORS, Canvas, Plot

_MOST_LABELS = 12
_TENTHS = 10
_ROW = 22


def answers(found: Distribution, compared_with: str) -> Plot | None:
    """None for a batch in which no row was scored."""
    if not found.rows:
        return None
    return _of_labels(found) if found.labels else _of_numbers(found, compared_with)


def _of_numbers(found: Distribution, compared_with: str) -> Plot:
    shares = [100 * count / found.rows for count in found.counts]
    # Edges that fall together leave fewer bins, and the receipt does not tell what the others have in each.
    known = bool(compared_with) and len(shares) == _TENTHS
    canvas = Canvas(220, bottom=74)
    canvas.axes.bar(range(len(shares)), shares, color=COLORS["candidate"], width=0.8, label="this batch")
    if known:
        canvas.axes.axhline(100 / _TENTHS, color=COLORS["live"], linewidth=2, label=words.short(compared_with, 28))
        canvas.axes.legend(frameon=False, handlelength=1.4, borderaxespad=0.2)
    canvas.axes.set(ylabel="% of rows", xlabel="answers up to", ylim=(0, max(*shares, 10) * (1.7 if known else 1.1)))
    canvas.axes.set_xticks(range(len(shares)), [*map(words.tick, map(_short, found.edges)), "more"], rotation=45)
    bins = f"bins that each have a tenth of {compared_with}" if known else words.count(len(shares), "bin")
    return canvas.plot("Distribution of the answers", f"Share of rows in {bins}.")


def _of_labels(found: Distribution) -> Plot:
    ranked = sorted(found.labels.items(), key=lambda one: (-one[1], one[0]))
    shown = ranked[:_MOST_LABELS]
    rest = sum(rows for _, rows in ranked[_MOST_LABELS:])
    bars = [(words.short(label, 14), rows) for label, rows in shown] + ([("all others", rest)] if rest else [])
    canvas = Canvas(60 + _ROW * len(bars), left=110)
    canvas.axes.barh(range(len(bars)), [100 * rows / found.rows for _, rows in bars], color=COLORS["candidate"])
    canvas.axes.set_yticks(range(len(bars)), [label for label, _ in bars])
    canvas.axes.invert_yaxis()
    canvas.axes.set(xlabel="% of rows")
    return canvas.plot("Labels that were answered", f"Share of rows; {words.count(len(ranked), 'label')} in all.")


def _short(edge: float) -> float:
    """Three digits that count."""
    return float(f"{edge:.3g}")
