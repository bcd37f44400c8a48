"""From a run that was trained to a release, as the stages of the pipeline would take it there one after the other."""

from services.contract.model_config import ModelConfig
from services.contract.promotion import Promotion
from services.contract.release import Release
from services.delivery.scoring.scoring import Scorer
from services.delivery.settings import Settings
from services.delivery.verbs.fetch import fetched
from services.delivery.verbs.package import packaged
from services.delivery.verdicts.comparing import compared
from services.delivery.verdicts.validating import validated
from training.job import TrainedRun


def through_gates(settings: Settings, config: ModelConfig, run: TrainedRun) -> Release:
    """The first release of its model. Raises Refused when a gate says no."""
    scorer = Scorer.of(settings, config)
    candidate = fetched(settings, promotion_of(run), None)
    return packaged(scorer, candidate, validated(scorer, candidate), compared(scorer, candidate, None))


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
