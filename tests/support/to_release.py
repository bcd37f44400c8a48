"""usage: python -m tests.support.to_release MODEL: trains, pins the hold-out, and goes on to a release."""

import sys

from services.contract.model_config import load_model_config
from services.contract.promotion import Promotion
from services.contract.release import Release
from services.delivery.scoring.scoring import Scorer
from services.delivery.settings import Settings
from services.delivery.verbs.fetch import fetched
from services.delivery.verbs.package import packaged
from services.delivery.verdicts.comparing import compared
from services.delivery.verdicts.validating import validated
from training.job import TrainedRun, TrainRequest, train


def promotion_of(run: TrainedRun) -> Promotion:
    return Promotion(
        model=run.model,
        label=f"1-{run.run_id[:8]}",
        run_id=run.run_id,
        run_status="FINISHED",
        experiment_id="1",
        model_id=run.model_id,
        promotion="true",
    )


def release_of(settings: Settings, run: TrainedRun) -> Release:
    """Pins the run's hold-out, and lets the run go through the gates."""
    page = settings.models / run.model / "model.yaml"
    page.write_text(page.read_text().replace("holdout_sha256: null", f"holdout_sha256: {run.holdout_sha256}"))
    scorer = Scorer.of(settings, load_model_config(settings.models, run.model))
    candidate = fetched(settings, promotion_of(run), None)
    validation, comparison = validated(scorer, candidate), compared(scorer, candidate, None)
    return packaged(scorer, candidate, validation, comparison)


def main(model: str) -> None:
    settings = Settings()
    run = train(TrainRequest(settings.models, model), lambda text: print(text, file=sys.stderr))  # noqa: T201
    sys.stdout.write(release_of(settings, run).to_json())


if __name__ == "__main__":
    main(sys.argv[1])
