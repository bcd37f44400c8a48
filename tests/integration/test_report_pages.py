"""The gates' pages in a real browser: as wide as a phone and as a desk, light and dark, under a strict policy.

Screenshots are kept in `.trackback/report-pages/`, which CI uploads.
"""

import os
from collections.abc import Iterator
from itertools import product

import pytest

from services.contract.monitoring import Drift
from services.contract.verdict import Verdict
from services.delivery.reports.report import comparison_page, monitoring_page, validation_page
from tests.support.chromium import Tab, chromium, see_to_chromium
from tests.support.monitoring_records import monitoring
from tests.support.paths import ROOT
from tests.support.report_evidence import TASKS, case

SCREENSHOTS = ROOT / ".trackback" / "report-pages"
MOST_BYTES = 600_000
NARROW, WIDE = 400, 1280
# Each text that is shown: what it says, how high it is on the screen, and its contrast to what is behind it.
# Contrast: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio; a color that lets through is mixed with what is behind.
TEXTS = """(() => {
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const over = (top, under) => under.map((value, i) => i < 3 ? top[i] * top[3] + value * (1 - top[3]) : 1);
  const light = color => color.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.push(parse(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, said = walker.currentNode.textContent.trim();
    if (!said || !element.checkVisibility()) continue;
    const style = getComputedStyle(element), svg = element.closest("svg");
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    const base = behind(element), top = over(parse(svg ? style.fill : style.color), base);
    const [high, low] = [light(top), light(base)].sort((a, b) => b - a);
    found.push([said, parseFloat(style.fontSize) * scale, (high + 0.05) / (low + 0.05)]);
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    if not see_to_chromium():
        refuse = pytest.fail if "CI" in os.environ else pytest.skip
        refuse("expected chromium, found none: install it (Debian: chromium)")
    with chromium() as opened:
        yield opened


def pages() -> dict[str, str]:
    """Each task, each verdict, and the first model, which has no live one to compare with."""
    found = {}
    for task, verdict in zip(TASKS, Verdict, strict=True):
        one = case(task, verdict)
        found[f"{task}-{verdict}-validation"] = validation_page(one.validation, one.alone)
        found[f"{task}-{verdict}-comparison"] = comparison_page(one.comparison, one.evidence)
    first = case("regression", Verdict.PASS, first=True)
    found["first-comparison"] = comparison_page(first.comparison, first.evidence)
    return found | {
        f"{verdict}-monitoring".replace(" ", "-"): monitoring_page(monitoring(verdict)) for verdict in Drift
    }


def test_every_report_is_readable_at_both_widths_in_light_and_dark_and_asks_for_nothing(tab: Tab) -> None:
    wrong = []
    for name, page in pages().items():
        assert len(page.encode()) < MOST_BYTES, name
        tab.show(page)
        for width, dark in product((NARROW, WIDE), (False, True)):
            shown = f"{name}-{width}-{'dark' if dark else 'light'}"
            tab.look(width, dark)
            tab.screenshot(SCREENSHOTS / f"{shown}.png")
            wrong += [f"{shown}: {problem}" for problem in problems(tab, width)]
    assert wrong == []


def problems(tab: Tab, width: int) -> Iterator[str]:
    yield from (f"the console said {text}" for text in tab.complaints)
    yield from (f"it asked for {address}" for address in tab.asked_for)
    if (wide := tab.ask("document.documentElement.scrollWidth")) > width:
        yield f"it scrolls sideways: it is {wide} pixels wide"
    texts = tab.ask(TEXTS)
    if len(texts) < 20:
        yield f"expected the texts of a report, found {len(texts)}"
    yield from (f"'{said}' is {size:.1f} pixels high" for said, size, _ in texts if size < 12)
    yield from (f"'{said}' has a contrast of {ratio:.1f}" for said, _, ratio in texts if ratio < 4.5)


def test_a_page_without_its_style_still_shows_its_plots_in_the_colors_of_the_light_page(tab: Tab) -> None:
    one = case("regression", Verdict.PASS)
    tab.show(comparison_page(one.comparison, one.evidence), "default-src 'none'; sandbox")
    lines = "[...document.querySelectorAll('svg path')].map(one => getComputedStyle(one).stroke)"
    assert "rgb(31, 95, 191)" in tab.ask(lines)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        ("<img src=https://cdn.example/logo.png>", "it asked for https://cdn.example/logo.png"),
        ("<div style='width:500px'>wide</div>", "it scrolls sideways: it is 512 pixels wide"),
        ("<small style='font-size:11px'>small</small>", "'small' is 11.0 pixels high"),
        ("<b style='color:#999'>faint</b>", "'faint' has a contrast of 2.8"),
        ("<script>alert(1)</script>", "the console said "),
    ],
)
def test_a_spoilt_page_is_seen_to_be_one(tab: Tab, spoil: str, problem: str) -> None:
    one = case("regression", Verdict.PASS)
    page = validation_page(one.validation, one.alone).replace("</body>", f"{spoil}</body>")
    page = page.replace('<meta http-equiv="Content-Security-Policy"', "<meta name=policy")
    tab.look(NARROW, dark=False)
    tab.show(page, "img-src *; style-src 'unsafe-inline'; script-src 'none'")
    assert any(found.startswith(problem) for found in problems(tab, NARROW)), list(problems(tab, NARROW))
