"""`rollout:` of model.yaml as people write it."""

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError as SchemaError
from jsonschema import validate
from pydantic import ValidationError

from services.contract.errors import Refused
from services.contract.located_yaml import load_yaml
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
        ({"canary": ["a few"]}, "expected a share such as 5% or 0.05, above 0% and up to 100%, found 'a few'"),
        ({"bake": "10 minutes"}, "expected a duration such as 30s, 2m or 1h, found '10 minutes'"),
        ({"bake": "-1s"}, "found '-1s'"),
        ({"bake": -1}, "found '-1'"),
        ({"bake": True}, "found 'True'"),
        ({"bake": None}, "found 'None'"),
        ({"bake": float("inf")}, "found 'inf'"),
        ({"wait": [1]}, "expected a duration"),
        ({"canary": ["25%", "5%"]}, "expected shares that ascend, found 0.25, 0.05"),
        ({"canary": ["5%", "5%"]}, "expected shares that ascend"),
        ({"canary": ["0%"]}, "above 0% and up to 100%, found '0%'"),
        ({"canary": ["150%"]}, "above 0% and up to 100%, found '150%'"),
        ({"canary": [1.5]}, "found '1.5'"),
        ({"canary": 5}, "expected a share such as 5% or 0.05, above 0% and up to 100%, found '5'"),
        ({"canary": "5"}, "expected a share such as 5% or 0.05"),
        ({"canary": True}, "expected a share"),
        ({"canary": {"5%": "2m"}}, r"expected shares such as \[5%, 25%\], each of which stays for `step`"),
        ({"shadow": {"share": "10%"}}, "Field required"),
        ({"shadow": "2 m"}, "expected a duration"),
        ({"shadow": True}, "expected a duration such as 2m, or {duration: 2m, share: 10%}, found 'True'"),
        ({"sticky": "X User"}, "expected the name of a header such as X-User-Id, found 'X User'"),
        ({"inconclusive": "stop"}, "'wait', 'promote' or 'back'"),
        ({"limits": {"errors": 2}}, "expected a share such as 5%"),
        ({"canaries": ["5%"]}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_none_is_refused_in_words(plan: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RolloutPlan.model_validate(plan)


def test_the_place_of_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    for text, said in (
        ("bake: 3s\ncanary: [5%, 150%]\n", "2: canary.1: expected a share such as 5% or 0.05"),
        ("bake: 3s\n\ncanary: [25%, 5%]\n", "3: canary: expected shares that ascend, found 0.25, 0.05"),
        ("shadow: 2 minutes\n", "1: shadow.duration: expected a duration such as 30s, 2m or 1h, found '2 minutes'"),
    ):
        path.write_text(text)
        with pytest.raises(Refused, match=re.escape(f"{path}:{said}")):
            load_yaml(path, RolloutPlan)


def test_what_people_write_fits_the_schema_that_editors_read() -> None:
    schema = RolloutPlan.model_json_schema()
    for plan in (
        {"shadow": "2m", "canary": "5%", "bake": 10, "step": "1.5h"},
        {"shadow": {"duration": 60, "share": "10%"}, "canary": ["5%", 0.25], "limits": {"errors": "2%"}},
        RolloutPlan(canary=(0.05,)).model_dump(mode="json"),
    ):
        validate(plan, schema)
    with pytest.raises(SchemaError, match="150 percent"):
        validate({"canary": "150 percent"}, schema)
