"""The answers of the prediction service to a file of rows, which another component asks without HTTP."""

from services.contract.prediction import Prediction
from services.contract.record import Record
from services.contract.row_times import Round


class Answers(Record):
    """`predictions` has an entry a row, None where HTTP would answer 422. `rounds` are the times of single rows.

    `ready_seconds` are from the start of the process until it was loaded and tested; `memory_bytes` were resident then.
    """

    predictions: tuple[Prediction | None, ...]
    rounds: tuple[Round, ...]
    ready_seconds: float
    memory_bytes: int
