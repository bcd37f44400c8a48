"""Figures of matplotlib as SVG that stands in a page: its colors are the page's, nothing in it needs a style.

A page under a strict Content-Security-Policy may have no style attributes, which matplotlib writes: they become
presentation attributes, and a class where the color is one of ours, so that the style sheet can change it in the dark.
"""

import io
import warnings
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from services.delivery.reports.matplotlib_parts import Axes

# Of the light page; each is another, because the color is all that tells what a shape is.
COLORS = {
    "ink": "#1b2430",
    "muted": "#566071",
    "line": "#d9dee4",
    "candidate": "#1f5fbf",
    "live": "#b0530f",
    "pass": "#14733c",
    "fail": "#b3261e",
    "inconclusive": "#855600",
    "paper": "#fffffe",
}
WIDTH = 336
TEXT = 12
_NAMES = {color: name for name, color in COLORS.items()}
_PAINTS = ("fill", "stroke")
_DROPPED = ("font-family", "font")
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trackback",
    "font.size": TEXT,
    "axes.edgecolor": COLORS["muted"],
    "axes.labelcolor": COLORS["muted"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 1.0,
    "axes.unicode_minus": True,
    "xtick.color": COLORS["muted"],
    "ytick.color": COLORS["muted"],
    "text.color": COLORS["ink"],
    "text.parse_math": False,  # a label is what people named things, dollars included
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "butt",
}


@dataclass(frozen=True)
class Plot:
    """`svg` is ready for the page; `caption` says how to read it."""

    title: str
    caption: str
    svg: str


def drawn(figures: Iterable[Callable[[], Plot | None]]) -> tuple[Plot, ...]:
    """All that have something to show. One that fails says so in its place: a verdict does not depend on it."""
    return tuple(plot for figure in figures if (plot := _one(figure)))


def _one(figure: Callable[[], Plot | None]) -> Plot | None:
    try:
        # Imported where it is drawn, because most verbs draw nothing and need not wait for it.
        from services.delivery.reports.matplotlib_parts import rc_context

        with rc_context(_SETTINGS), warnings.catch_warnings():
            # Of letters that its own font lacks, which the browser's has.
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            return figure()
    except Exception as error:
        return Plot("A plot is missing", f"It could not be drawn: {type(error).__name__}: {error}", "")


class Canvas:
    """Axes in a figure `WIDTH` pixels wide; margins are pixels too. A point of matplotlib is a pixel of the page."""

    def __init__(self, height: int, *, left: int = 50, right: int = 12, top: int = 8, bottom: int = 44) -> None:
        from services.delivery.reports.matplotlib_parts import Figure, FigureCanvasSVG

        self.height = height
        self.figure = Figure(figsize=(WIDTH / 72, height / 72), facecolor="none")
        FigureCanvasSVG(self.figure)
        inner = (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - top - bottom) / height)
        self.axes: Axes = self.figure.add_axes(inner, facecolor="none")
        self.axes.tick_params(length=3, pad=3)

    def plot(self, title: str, caption: str) -> Plot:
        target = io.BytesIO()
        self.figure.savefig(target, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        return Plot(title, caption, _for_a_page(target.getvalue(), title, self.height))


def _for_a_page(svg: bytes, title: str, height: int) -> str:
    # What matplotlib wrote a moment ago.
    root = ElementTree.fromstring(svg)  # noqa: S314
    used = {word for element in root.iter() for word in _references(element)}
    # The same for the same figure, and another for each on a page.
    prefix = f"f{zlib.crc32(svg + title.encode()):x}-"
    for element in list(root.iter()):
        _drop_what_says_nothing(element)
        _rewrite(element, used, prefix)
    root.attrib = {
        "class": "plot", "role": "img", "aria-label": title,
        "width": str(WIDTH), "height": str(height), "viewBox": f"0 0 {WIDTH} {height}",
        "stroke-linejoin": "round",
    }  # fmt: skip
    return ElementTree.tostring(root, encoding="unicode")


def _references(element: ElementTree.Element) -> list[str]:
    found = [value.removeprefix("#") for name, value in element.items() if name.endswith("href")]
    clip = element.get("clip-path", "")
    return [*found, clip.removeprefix("url(#").removesuffix(")")] if clip else found


def _drop_what_says_nothing(element: ElementTree.Element) -> None:
    for child in list(element):
        kind, style = _local(child.tag), child.get("style", "").strip("; ")
        if kind in ("metadata", "style") or (kind == "path" and style == "fill: none"):
            element.remove(child)


def _rewrite(element: ElementTree.Element, used: set[str], prefix: str) -> None:
    attributes: dict[str, str] = {}
    for name, value in element.items():
        attributes |= _attribute(_local(name), value, used, prefix)
    element.tag, element.attrib, element.tail = _local(element.tag), attributes, None
    if element.text and not element.text.strip():
        element.text = None


def _attribute(name: str, value: str, used: set[str], prefix: str) -> dict[str, str]:
    """What it becomes: names are the page's own, and those that nothing refers to are left out."""
    match name:
        case "style":
            return _styled(value)
        case "id":
            return {"id": prefix + value} if value in used else {}
        case "href":
            return {name: f"#{prefix}{value.removeprefix('#')}"}
        case "clip-path":
            return {name: value.replace("url(#", f"url(#{prefix}")}
        case "transform" if value.startswith("rotate(-0 "):
            return {}
    return {name: " ".join(value.split())}


def _styled(style: str) -> dict[str, str]:
    pairs = [part.partition(":")[::2] for part in style.split(";") if ":" in part]
    styles = {name.strip(): value.strip() for name, value in pairs if name.strip() not in _DROPPED}
    painted = [f"{name}-{_NAMES[styles[name]]}" for name in _PAINTS if styles.get(name) in _NAMES]
    return {**styles, "class": " ".join(painted)} if painted else styles


def _local(name: str) -> str:
    return name.rpartition("}")[2]
