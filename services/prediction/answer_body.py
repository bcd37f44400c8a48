"""The body of an answer: predictions and the model's identity, which is the same in all of them."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from services.prediction.answers import Json
from services.prediction.turns import Turns


class AnswerBody:
    def __init__(self, identity: Mapping[str, str]) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._end = b'],"model":' + self._encode(identity) + b"}"

    def of(self, predictions: Sequence[Json]) -> bytes:
        return self.of_parts([self.part(predictions)])

    def part(self, predictions: Sequence[Json]) -> bytes:
        """Some of the predictions, one or more, for `of_parts`."""
        return self._encode(predictions)[1:-1]

    async def in_parts(self, predictions: Sequence[Json], turns: Turns) -> bytes:
        """As `of`, of so many that others have their turn meanwhile."""
        return self.of_parts(await turns.each(lambda some: [self.part(some)], predictions))

    def of_parts(self, parts: Iterable[bytes]) -> bytes:
        return b'{"predictions":[' + b",".join(parts) + self._end
