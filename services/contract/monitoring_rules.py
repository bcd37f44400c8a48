"""What model.yaml declares of `trackback monitor`; docs/monitoring.md explains each."""

from typing import Annotated

from pydantic import Field

from services.contract.gates import Off
from services.contract.record import Record


class MonitoringRules(Record):
    """From how many rows on a window is judged, how sure we must be over all columns together, and how far something
    must have moved to matter: `psi` is a population stability index beyond what chance gives, `share` the difference of
    a share (missing, unseen, new words). Columns that are `off` are shown with the reason and not counted."""

    min_rows: Annotated[int, Field(ge=2)] = 500
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    psi: Annotated[float, Field(ge=0)] = 0.1
    share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    off: dict[str, Off] = {}

    def reason_off(self, column: str) -> str | None:
        """None for a column that counts."""
        return self.off[column].reason if column in self.off else None
