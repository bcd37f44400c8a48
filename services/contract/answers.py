"""The answers of the prediction service to a file of rows, which another component asks without HTTP."""

from services.contract.prediction import Prediction
from services.contract.record import Record
from services.contract.row_times import Round


class Answers(Record):
    """An answer a row, None for a row that gets a 422 over HTTP; what single rows took; seconds from the start of the
    process until it was loaded and tested, and its resident memory then."""

    predictions: tuple[Prediction | None, ...]
    rounds: tuple[Round, ...]
    ready_seconds: float
    memory_bytes: int
