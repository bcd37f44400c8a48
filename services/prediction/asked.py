"""What is known of a request while it is answered: given by the outermost layer, filled by whoever answers it.

It stands in the ASGI scope as `asked`; where nobody observes (the private listener, a batch) there is none.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.types import Scope


# A Struct is made in a third of the time of a class: this is one of the few things that every request needs.
class Asked(msgspec.Struct, gc=False):
    """`rows` of the request, and of the `batch` in which they were scored; 0 while nothing was. `first` is the
    answer to the first row, `row` a hash of that, by which one that is asked again is known.

    `inputs` (rows in the order of the model's inputs) and `outputs` (predictions as they stand in the answer) are
    filled only when they are `wanted`: this request is one of the sampled ones of the prediction log. One that was
    `handed_on` was answered by a candidate, which counts and writes down what it answers.
    """

    request_id: str
    wanted: bool = False
    handed_on: bool = False
    rows: int = 0
    batch: int = 0
    first: Any = None
    row: int = 0
    inputs: Any = None
    outputs: Any = None


def note(scope: Scope, rows: Sequence[Any], predictions: Sequence[Any], batch: int) -> None:
    """`predictions` as they stand in the answer to `rows`, which were scored in a batch of so many rows."""
    asked: Asked | None = scope.get("asked")
    if asked is None:
        return
    asked.rows, asked.batch = len(rows), batch
    if predictions:
        asked.first, asked.row = predictions[0], hash(tuple(rows[0]))
    if asked.wanted:
        asked.inputs, asked.outputs = rows, predictions
