"""usage: python -m tests.support.to_release MODEL: trains, pins the hold-out, and goes on to a release."""

import sys

from benchmarks.through_gates import through_gates
from services.contract.model_config import load_model_config
from services.contract.release import Release
from services.delivery.settings import Settings
from training.job import TrainedRun, TrainRequest, train


def release_of(settings: Settings, run: TrainedRun) -> Release:
    """Pins the run's hold-out, and lets the run go through the gates."""
    page = settings.models / run.model / "model.yaml"
    page.write_text(page.read_text().replace("holdout_sha256: null", f"holdout_sha256: {run.holdout_sha256}"))
    return through_gates(settings, load_model_config(settings.models, run.model), run)


def main(model: str) -> None:
    settings = Settings()
    run = train(TrainRequest(settings.models, model), lambda text: print(text, file=sys.stderr))  # noqa: T201
    sys.stdout.write(release_of(settings, run).to_json())


if __name__ == "__main__":
    main(sys.argv[1])
