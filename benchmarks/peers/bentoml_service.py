"""A model behind BentoML, as its documentation has it: a class, whose method is the route."""

from typing import Any

import bentoml

from benchmarks.peers.model import answered, load


@bentoml.service(workers=1, traffic={"timeout": 300, "max_concurrency": 1000})
class Model:
    def __init__(self) -> None:
        self._ask = load()

    @bentoml.api(route="/invocations")
    def invocations(self, dataframe_split: dict[str, Any]) -> dict[str, list[Any]]:
        return answered(self._ask, dataframe_split)
