"""The gates' reports as self-contained HTML pages, shown as tabs in GoCD."""

from html import escape

from services.contract.verdict import Comparison, Validation, Verdict

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:60rem;color:#1c2733}
h1{font-size:1.3rem} table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #d8dee6;vertical-align:top}
.pass{color:#14733c}.fail{color:#b3261e}.inconclusive{color:#8a5a00} code{font-size:.85em}
svg{width:100%;height:7rem}
"""


def validation_page(validation: Validation) -> str:
    rows = [
        (f'<td class="{check.verdict}">{check.verdict}</td>', check.name, check.expected, check.found)
        for check in validation.checks
    ]
    table = "".join(f"<tr>{first}{_cells(*rest)}</tr>" for first, *rest in rows)
    return _page(
        f"Validation of {validation.model} {validation.revision}",
        validation.verdict,
        f"{validation.holdout.rows} hold-out rows, SHA-256 {validation.holdout.sha256}",
        f"<table><tr><th>verdict<th>check<th>expected<th>found</tr>{table}</table>",
    )


def comparison_page(comparison: Comparison) -> str:
    numbers = [
        ("metric", comparison.metric),
        ("candidate", f"{comparison.revision}: {comparison.candidate_value:.6g}"),
        ("live", _live(comparison)),
        ("hold-out", f"{comparison.holdout.rows} rows, SHA-256 {comparison.holdout.sha256}"),
    ]
    if comparison.interval and comparison.difference is not None:
        low, high = comparison.interval
        interval = f"{comparison.difference:.6g} ({comparison.confidence:.0%} interval {low:.6g} to {high:.6g})"
        numbers.insert(3, ("better by", interval))
    table = "".join(f"<tr>{_cells(*row)}</tr>" for row in numbers)
    title = f"Comparison of {comparison.model} {comparison.revision} with live"
    return _page(title, comparison.verdict, comparison.summary, f"{_interval_chart(comparison)}<table>{table}</table>")


def _live(comparison: Comparison) -> str:
    if comparison.live is None or comparison.live_value is None:
        return "nothing was live"
    return f"{comparison.live.revision}: {comparison.live_value:.6g}"


def _interval_chart(comparison: Comparison) -> str:
    """The interval on a line, with zero and the least that the gate accepts."""
    if comparison.interval is None or comparison.allowed is None:
        return ""
    low, high = comparison.interval
    limit = -comparison.allowed
    left, right = min(low, limit, 0.0), max(high, limit, 0.0)

    def at(value: float) -> float:
        return 60 + 880 * (value - left) / ((right - left) or 1.0)

    return (
        '<svg viewBox="0 0 1000 110" role="img" aria-label="confidence interval of the improvement">'
        f'<line x1="{at(limit):.1f}" x2="{at(limit):.1f}" y1="10" y2="80" stroke="#b3261e" stroke-dasharray="4"/>'
        f'<text x="{at(limit):.1f}" y="100" text-anchor="middle" fill="#b3261e">limit {limit:.4g}</text>'
        f'<line x1="{at(0):.1f}" x2="{at(0):.1f}" y1="25" y2="65" stroke="#8895a5"/>'
        f'<line x1="{at(low):.1f}" x2="{at(high):.1f}" y1="45" y2="45" stroke="#1f5fbf" stroke-width="10"/>'
        f'<text x="{at(high):.1f}" y="30" text-anchor="end">{low:.4g} to {high:.4g} better</text></svg>'
    )


def _cells(*values: str) -> str:
    return "".join(f"<td>{escape(value)}</td>" for value in values)


def _page(title: str, verdict: Verdict, summary: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f'<h1>{escape(title)}: <span class="{verdict}">{verdict}</span></h1><p>{escape(summary)}</p>{body}</html>\n'
    )
