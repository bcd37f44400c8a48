"""deploy from outside: what is live when it comes decides, not what was live when it was compared."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from services.contract import names
from services.contract.deployment import DeployRequest, InPlaceOf, RollbackRequest
from services.contract.errors import LiveChanged, Refused
from services.contract.release import Release
from services.contract.verdict import Comparison
from services.delivery.compare import compared
from services.delivery.deploy import deployed
from services.delivery.package import packaged
from services.delivery.rollout_client import Rollout
from services.delivery.settings import Settings
from services.delivery.validate import validated
from tests.delivery_bench import GATEWAY, rollout_service
from tests.unit.test_delivery_gates import Bench, nobody_answers

BACK = RollbackRequest(by="grace", reason="complaints")


class Pipeline:
    """The stages of a toy model with the true slope 3, as an agent runs them: one after the other, by anyone."""

    def __init__(self, bench: Bench, url: str, out: Path) -> None:
        self.bench, self.out, self.rollout = bench, out, Rollout(url)
        folder = out / "models" / "toy"
        folder.mkdir(parents=True)
        (folder / "model.yaml").write_text(yaml.safe_dump(bench.config().model_dump(mode="json", exclude_none=True)))
        self.settings = Settings(
            trackback_store=bench.root / "store",
            trackback_models=folder.parent,
            trackback_gateway_url=url + GATEWAY,
            trackback_environments=bench.root / "no environments",
        )

    def build(self, slope: float, number: int) -> Release:
        """Compared with what is live now."""
        scorer, candidate = self.bench.scorer(), self.bench.candidate(slope, number)
        comparison = compared(scorer, candidate, self.rollout.state("toy").live)
        return packaged(scorer, candidate, validated(scorer, candidate), comparison, nobody_answers)

    def deploy(self, release: Release) -> str:
        return deployed(self.settings, self.rollout, release, self.out).revision

    def live(self) -> str | None:
        live = self.rollout.state("toy").live
        return live.revision if live else None

    def report(self) -> Comparison:
        assert (self.out / names.COMPARISON_PAGE).is_file()
        return Comparison.read(self.out / names.COMPARISON_FILE)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    bench = Bench(tmp_path)
    with rollout_service(tmp_path / "rollout", tmp_path / "store") as url:
        yield Pipeline(bench, url, tmp_path / "out")


def test_a_worse_model_that_was_compared_with_an_older_one_does_not_replace_a_better_one(pipeline: Pipeline) -> None:
    pipeline.deploy(pipeline.build(3.5, 1))
    best, worse = pipeline.build(3.0, 2), pipeline.build(3.2, 3)
    assert pipeline.deploy(best) == "2-aaaaaaaa"
    with pytest.raises(Refused, match=r"3-aaaaaaaa is not good enough for what is live now: worse than live: .*2-aaaa"):
        pipeline.deploy(worse)
    assert pipeline.live() == "2-aaaaaaaa"
    report = pipeline.report()
    assert (report.verdict, report.live and report.live.release) == ("fail", best.digest)


def test_the_second_of_two_first_models_is_compared_with_the_first(pipeline: Pipeline) -> None:
    first, second = pipeline.build(3.0, 1), pipeline.build(3.2, 2)
    assert (first.manifest.comparison.live, second.manifest.comparison.live) == (None, None)
    pipeline.deploy(first)
    with pytest.raises(Refused, match="worse than live"):
        pipeline.deploy(second)
    assert pipeline.live() == "1-aaaaaaaa"


def test_a_model_that_is_as_good_as_what_is_live_by_now_goes_on(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.deploy(pipeline.build(3.5, 1))
    good, better = pipeline.build(3.2, 2), pipeline.build(3.0, 3)
    pipeline.deploy(good)
    assert pipeline.deploy(better) == "3-aaaaaaaa"
    report = pipeline.report()
    assert (report.verdict, report.live and report.live.revision) == ("pass", "2-aaaaaaaa")
    assert "compared again, PASS: not worse than live" in capsys.readouterr().err


def test_after_a_rollback_what_is_back_is_compared_with(pipeline: Pipeline) -> None:
    pipeline.deploy(pipeline.build(3.0, 1))
    pipeline.deploy(pipeline.build(3.001, 2))
    third = pipeline.build(3.0, 3)
    assert third.manifest.comparison.live
    assert third.manifest.comparison.live.revision == "2-aaaaaaaa"
    pipeline.rollout.rollback("toy", BACK)
    assert pipeline.deploy(third) == "3-aaaaaaaa"
    report = pipeline.report()
    assert report.live
    assert report.live.revision == "1-aaaaaaaa"


def test_the_release_that_is_live_is_deployed_again_without_another_look(pipeline: Pipeline) -> None:
    release = pipeline.build(3.0, 1)
    pipeline.deploy(release)
    assert pipeline.deploy(release) == "1-aaaaaaaa"
    assert pipeline.report().live is None


def test_the_rollout_service_itself_replaces_only_what_the_request_names(pipeline: Pipeline) -> None:
    first, second = pipeline.build(3.5, 1), pipeline.build(3.0, 2)

    def ask(release: Release, instead: InPlaceOf) -> str:
        request = DeployRequest(release=release.digest, by="ada", in_place_of=instead)
        return pipeline.rollout.deploy("toy", request).revision

    with pytest.raises(LiveChanged, match=r"expected release ffffffffffff… to be live, found nothing: compare with"):
        ask(first, InPlaceOf(release="f" * 64))
    assert ask(first, InPlaceOf(release=None)) == "1-aaaaaaaa"
    with pytest.raises(LiveChanged, match=r"expected nothing to be live, found 1-aaaaaaaa \(release "):
        ask(second, InPlaceOf(release=None))
    assert pipeline.live() == "1-aaaaaaaa"
    assert ask(second, InPlaceOf(release=first.digest)) == "2-aaaaaaaa"
