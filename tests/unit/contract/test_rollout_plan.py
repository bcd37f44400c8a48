"""`rollout:` of model.yaml as people write it."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.contract.rollout_plan import RolloutPlan, Shadow


def test_durations_and_shares_are_read_as_people_write_them() -> None:
    plan = RolloutPlan.model_validate({"shadow": "2m", "canary": ["5%", 0.25], "step": "90s", "bake": "1h", "wait": 5})
    assert plan.shadow == Shadow(duration=120.0)
    assert plan.canary == (0.05, 0.25)
    assert (plan.step, plan.bake, plan.wait) == (90, 3600, 5)
    assert RolloutPlan.model_validate({"canary": "10%"}).canary == (0.1,)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"bake": "ten minutes"}, "expected a duration such as 30s, 2m or 1h, found 'ten minutes'"),
        ({"canary": ["a few"]}, "expected a share such as 5%, found 'a few'"),
        ({"canary": ["25%", "5%"]}, "canary: expected shares that ascend, found 25%, 5%"),
        ({"canary": ["0%"]}, "greater than 0"),
        ({"canary": [1.5]}, "less than or equal to 1"),
        ({"shadow": {"share": "10%"}}, "Field required"),
        ({"sticky": "X User"}, "pattern"),
    ],
)
def test_what_is_none_is_refused_in_words(plan: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RolloutPlan.model_validate(plan)
