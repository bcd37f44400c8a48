"""53,940 round-cut diamonds with their prices in US dollars, as shipped in the plotnine package."""

from collections.abc import Sequence
from pathlib import Path

import pandas


def load(files: Sequence[Path]) -> pandas.DataFrame:
    """One row a diamond: the columns that model.yaml declares, and the target."""
    (diamonds,) = files
    return pandas.read_csv(diamonds)
