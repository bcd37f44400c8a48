"""What the reports take of matplotlib, in one module, so that a verb imports it while it waits for something else."""

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

__all__ = ["Axes", "Figure", "FigureCanvasSVG", "rc_context"]
