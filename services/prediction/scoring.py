"""Answers to rows, whichever protocol brought them."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from services.prediction.answer_body import AnswerBody
from services.prediction.answers import Json, as_json
from services.prediction.asked import note
from services.prediction.bodies import rows_said
from services.prediction.content_type import ARROW, CSV, JSON, MediaType, media_type, wants_arrow
from services.prediction.invalid import Invalid, answer_invalid
from services.prediction.invocations import Invocation, read_invocation
from services.prediction.params import Params, read_params
from services.prediction.predictor import Predictor
from services.prediction.turns import Read, Turns


class Scoring:
    def __init__(self, predictor: Predictor, identity: dict[str, Any], turns: Turns) -> None:
        self._predictor, self._manifest, self._identity, self.turns = predictor, predictor.manifest, identity, turns
        self._body = AnswerBody(identity)

    async def respond(self, request: Request) -> Response:
        """To a request of MLflow's scoring protocol."""
        try:
            media = media_type(request.headers.get("content-type", ""))
            arrow = wants_arrow(request.headers.get("accept", ""))
            body = await request.body()
            async with self.turns.reading(body, rows_said(body, media)) as read:
                return await self._answer(read, body, media, arrow, request.scope)
        except Invalid as refusal:
            return answer_invalid(refusal)

    async def score(self, asked: Invocation, params: Params, scope: Any) -> list[Json]:
        """Raises Invalid when the model has no answer. The request in `scope` learns what was asked and answered."""
        predict = self._predictor.method(params, len(asked.rows))
        answers = await self.turns.each(lambda rows: [as_json(one, params) for one in predict(rows)], asked.rows)
        note(scope, asked.rows, answers, len(answers))
        return answers

    async def _answer(self, read: Read, body: bytes, media: MediaType, arrow: bool, scope: Any) -> Response:
        # Whoever logs the request wants its rows.
        in_columns = media not in (JSON, CSV) and not getattr(scope.get("asked"), "wanted", False)
        if in_columns and (found := await self._of_columns(read, body, media, arrow, scope)):
            return found
        manifest = self._manifest
        asked: Invocation = await read(read_invocation, body, manifest.inputs, manifest.limits.max_rows, media)
        params = read_params(asked.params, manifest.task)
        answers = await self.score(asked, params, scope)
        if not arrow:
            return await self.in_json(answers)
        from services.prediction.bodies import arrow_answer

        return self._in_arrow([arrow_answer.as_batch(answers, manifest, params)])

    async def _of_columns(self, read: Read, body: bytes, media: MediaType, arrow: bool, scope: Any) -> Response | None:
        # Arrow is imported when the first such body comes.
        from services.prediction.bodies import arrow_answer
        from services.prediction.bodies.columns import answer_columns

        if (found := await answer_columns(self._predictor, body, media, read, self.turns)) is None:
            return None
        rows = sum(map(len, found))
        note(scope, range(rows), (), rows)
        return self._in_arrow(found) if arrow else await self.in_json(await read(arrow_answer.as_json, found))

    async def in_json(self, answers: list[Json]) -> Response:
        return Response(await self._body.in_parts(answers, self.turns), media_type=JSON)

    def _in_arrow(self, batches: Any) -> Response:
        from services.prediction.bodies import arrow_answer

        name, rest = self._identity["name"], {key: text for key, text in self._identity.items() if key != "name"}
        return Response(arrow_answer.write(batches, {"model": name, **rest}), media_type=ARROW)
