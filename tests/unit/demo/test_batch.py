"""The batch half of the demo, without a platform: what it asks the command line, and what it says."""

from pathlib import Path
from typing import Any

import pytest

from demo.batch import refuse_without_tools, score_by_spark, summary
from demo.delivery import DeliveryFollower
from services.contract.errors import Refused
from services.contract.trace import Trace
from services.gocd.client import Json
from tests.support.receipts import receipt_of
from tests.support.release_factory import ReleasePlan, build_release


def test_a_machine_without_the_tools_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(
        Refused, match=r"^expected the Debian packages of machine images, found no .*mmdebstrap"
    ) as said:
        refuse_without_tools_of(tmp_path)
    assert str(said.value).endswith(": scripts/setup image")


def refuse_without_tools_of(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.contract.image_tools._PLACES", str(folder))
        refuse_without_tools(str(folder))


def test_spark_is_asked_for_the_hold_out_of_what_answers(tmp_path: Path) -> None:
    release = build_release(tmp_path / "store", ReleasePlan())
    manifest = release.manifest
    trace = Trace(
        model=manifest.model,
        revision=manifest.revision,
        release=release.digest,
        deployments=(),
        candidate=manifest.candidate,
        validation=manifest.validation,
        comparison=manifest.comparison,
        servable=manifest.servable,
        pipeline=None,
        links={},
    )
    told = receipt_of(release, engine="spark")
    asked: list[tuple[str, ...]] = []

    def trackback(*words: str) -> str:
        asked.append(words)
        return {"trace": trace, "score": told}[words[0]].to_json()

    receipt, _ = score_by_spark(trackback, tmp_path / "store", "diamond-price", tmp_path / "scored")
    assert receipt == told
    assert asked[1] == (
        *("score", "diamond-price", "--input", str(tmp_path / "store" / "holdouts" / f"{'2' * 64}.csv")),
        *("--output", str(tmp_path / "scored" / release.digest[:12])),
    )


def test_a_receipt_is_told_in_a_line(tmp_path: Path) -> None:
    release = build_release(tmp_path, ReleasePlan())
    rows = f"of release {release.digest[:12]}…"
    assert summary(receipt_of(release, rejected={"carat: a number": 3}, shift=None)) == (
        f"7 of 10 rows scored, 3 rejected: receipt.json {rows}"
    )
    assert summary(receipt_of(release)) == (
        f"10 of 10 rows scored, 0 rejected, stability index 0.031 against the hold-out's answers: receipt.json {rows}"
    )


def test_each_stage_of_the_image_is_said_once_with_its_time() -> None:
    def instance(image: str, score: str) -> Json:
        revision = {"modifications": [{"revision": "churn/4/package/1"}]}
        stages: list[Any] = [{"name": "image", "result": image}, {"name": "score", "result": score}]
        return {
            "name": "churn-batch", "counter": 2, "stages": stages, "build_cause": {"material_revisions": [revision]}
        }  # fmt: skip

    class Follower(DeliveryFollower):
        def _instances(self, pipeline: str, is_ours: Any) -> Any:
            assert pipeline == "churn-batch"
            for found in (("Unknown", "Unknown"), ("Passed", "Unknown"), ("Passed", "Unknown"), ("Passed", "Passed")):
                assert is_ours(instance(*found))
                yield instance(*found)

    said: list[str] = []
    Follower("http://gocd", said.append).follow_batch("churn", {"name": "churn", "counter": 4})
    assert [line.partition(" after ")[0] for line in said] == [
        "  churn-batch 2  image     Passed", "  churn-batch 2  score     Passed"
    ]  # fmt: skip
    assert all(line.endswith(" s") for line in said)
