"""deploy from outside: what is live when it comes decides, not what was live when it was compared."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from services.contract import names
from services.contract.candidate import PipelineRef
from services.contract.comparison import Comparison
from services.contract.deployment import DeployRequest, InPlaceOf, RollbackRequest
from services.contract.errors import LiveChanged, Refused
from services.contract.release import Release, Servable
from services.contract.validation import Validation
from services.delivery.clients.rollout_client import Rollout
from services.delivery.scoring.messages import Forms
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.settings import Settings
from services.delivery.verbs.deploy import deployed
from services.delivery.verbs.package import packaged
from services.delivery.verdicts.comparing import compared
from tests.support.delivery_bench import GATEWAY, rollout_service
from tests.unit.delivery.test_delivery_gates import Bench

pytestmark = pytest.mark.process

BACK = RollbackRequest(by="grace", reason="complaints")


class OneForm(Scorer):
    """Does not ask a library for the forms of its model: nobody is to answer here."""

    def forms(self, request: HoldoutRequest, folder: Path) -> Forms:  # noqa: ARG002  as a Scorer
        return Forms(forms=(), notes=("nobody answers",))


class Models:
    """Candidates with the true slope 3, made and asked once."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root)
        self.scorer = OneForm(self.bench.store, root / "no environments", self.bench.config())
        self.candidate = cache(self.bench.candidate)


class Pipeline:
    """The stages of one model, as an agent runs them; what is promoted here is promoted because of `reason`."""

    def __init__(self, models: Models, url: str, out: Path, reason: str) -> None:
        self.models, self.out, self.reason, self.rollout = models, out, reason, Rollout(url)
        root = models.bench.root
        folder = root / "models" / "toy"
        folder.mkdir(parents=True, exist_ok=True)
        config = models.bench.config().model_dump(mode="json", exclude_none=True)
        (folder / "model.yaml").write_text(yaml.safe_dump(config))
        self.settings = Settings(
            mlflow_tracking_uri="http://127.0.0.1:9",
            rollout_url=url,
            store=root / "store",
            models=folder.parent,
            gateway_url=url + GATEWAY,
            environments=root / "no environments",
        )

    def build(self, slope: float, number: int, counter: int = 1) -> Release:
        """Compared with what is live now."""
        found = self.models.candidate(slope, number)
        promotion = found.promotion.model_copy(update={"reason": self.reason})
        instance = PipelineRef(name="toy", counter=counter, label=promotion.label)
        candidate = found.model_copy(update={"promotion": promotion, "pipeline": instance})
        comparison = compared(self.models.scorer, candidate, self.rollout.state("toy").live)
        self.models.bench.store.put_form(candidate, Servable(form=None, notes=()), None)
        return packaged(self.models.scorer, candidate, passed(comparison), comparison)

    def deploy(self, release: Release) -> str:
        return deployed(self.settings, release, self.out).revision

    def live(self) -> str | None:
        live = self.rollout.state("toy").live
        return live.revision if live else None

    def report(self) -> Comparison:
        assert (self.out / names.COMPARISON_PAGE).is_file()
        return Comparison.read(self.out / names.COMPARISON_FILE)


def passed(comparison: Comparison) -> Validation:
    shared = {name: getattr(comparison, name) for name in ("model", "revision", "candidate", "holdout")}
    return Validation.model_validate({**shared, "verdict": "pass", "checks": (), "metrics": {}, "latency_ms": {}})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def pipeline(models: Models, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pipeline]:
    with rollout_service(tmp_path / "rollout", models.bench.root / "store") as url:
        yield Pipeline(models, url, tmp_path / "out", request.node.name)


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


def test_a_promotion_whose_pipeline_runs_again_is_the_same_release_and_nothing_is_to_do(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    first = pipeline.build(3.0, 1, counter=7)
    pipeline.deploy(first)
    since = pipeline.rollout.state("toy")
    again = pipeline.build(3.0, 1, counter=8)
    assert "1-aaaaaaaa was packaged before and stays that release" in capsys.readouterr().err
    assert again == first
    pipeline.deploy(again)
    assert pipeline.rollout.state("toy") == since


def test_a_promotion_that_runs_again_after_a_later_one_says_what_stands(pipeline: Pipeline) -> None:
    first = pipeline.build(3.0, 1)
    pipeline.deploy(first)
    pipeline.deploy(pipeline.build(3.001, 2))
    with pytest.raises(Refused, match="expected a promotion after number 2, found number 1: promote its run again"):
        pipeline.deploy(pipeline.build(3.0, 1, counter=3))
    pipeline.rollout.rollback("toy", BACK)
    with pytest.raises(Refused, match="promotion 2 was live and is not any more: promote its run again"):
        pipeline.deploy(pipeline.build(3.001, 2, counter=4))
    assert pipeline.live() == "1-aaaaaaaa"


def test_the_first_record_of_a_promotion_stands_and_a_damaged_release_is_built_again(pipeline: Pipeline) -> None:
    release, store = pipeline.build(3.0, 1), pipeline.models.bench.store
    candidate = release.manifest.candidate
    assert store.put_packaged(candidate, "f" * 64) == store.packaged(candidate) == release.digest
    damaged = store.release(release.digest) / names.GOLDEN_FILE
    damaged.chmod(0o644)
    damaged.write_text("{}")
    assert store.packaged(candidate) is None
    assert pipeline.build(3.0, 1).digest == store.packaged(candidate)
