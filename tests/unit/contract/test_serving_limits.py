"""`serving` of model.yaml: each limit has a default that makes sense; a value that makes none is named by its line."""

from pathlib import Path

import pytest
import yaml

from services.contract.errors import Refused
from services.contract.http_protocol import GATEWAY, LIMITS, HeadLimits, head_limits
from services.contract.model_config import load_model_config
from services.contract.release import ServingLimits
from tests.support.paths import MODELS

MODEL = "diamond-price"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ServingLimits.model_fields for value in (0, -1, "many", 1e300)),
        ("header_seconds", float("nan")),
        ("body_seconds", float("inf")),
        ("idle_seconds", 16),
        ("header_bytes", 100),
        ("max_rows", 1.5),
        ("max_row", 1),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_with_file_and_line(name: str, value: object, tmp_path: Path) -> None:
    text = (MODELS / MODEL / "model.yaml").read_text()
    content = yaml.safe_load(text)
    content["serving"] = {name: value}
    file = tmp_path / MODEL / "model.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    line = next(place for place, found in enumerate(file.read_text().split("\n"), 1) if found.startswith(f"  {name}:"))
    with pytest.raises(Refused) as refusal:
        load_model_config(tmp_path, MODEL)
    assert str(refusal.value).startswith(f"{file}:{line}: serving.{name}: ")
    assert "\n" not in str(refusal.value)


def test_a_service_has_the_limits_of_its_release_and_behind_the_gateway_all_connections() -> None:
    assert head_limits(ServingLimits(body_seconds=LIMITS.body_seconds), gateway=False) == LIMITS
    behind = head_limits(ServingLimits(body_seconds=GATEWAY.body_seconds), gateway=True)
    assert behind == GATEWAY
    serving = ServingLimits(
        header_bytes=2048,
        header_lines=11,
        header_seconds=1,
        body_seconds=2,
        idle_seconds=3,
        max_connections=5000,
        max_connections_a_peer=7,
    )
    assert head_limits(serving, gateway=False) == HeadLimits(2048, 11, 1, 2, 3, 5000, 7)
    assert head_limits(serving, gateway=True) == HeadLimits(2048, 11, 1, 2, 3, 5000, 5000)


def test_an_idle_connection_ends_before_a_drained_service_does() -> None:
    """The rollout service gives connections 20 s (`drain_seconds`)."""
    assert ServingLimits.model_fields["idle_seconds"].metadata[-1].le < 20
