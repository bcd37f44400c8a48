"""53,940 round-cut diamonds with their prices in US dollars, as shipped in the plotnine package."""

import pandas
from plotnine.data import diamonds


def load() -> pandas.DataFrame:
    """One row a diamond: the columns that model.yaml declares, and the target."""
    return diamonds.astype({"cut": str, "color": str, "clarity": str, "price": float})
