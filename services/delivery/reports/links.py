"""Where a browser finds the run and the pipeline of a candidate."""

from services.contract.candidate import Candidate
from services.delivery.settings import Settings


def links(settings: Settings, candidate: Candidate) -> dict[str, str]:
    run, pipeline = candidate.run, candidate.pipeline
    found = {"run": f"{settings.mlflow_browser_url}/#/experiments/{run.experiment_id}/runs/{run.run_id}"}
    if pipeline:
        found["pipeline"] = f"{settings.gocd_browser_url}/pipelines/value_stream_map/{pipeline.name}/{pipeline.counter}"
    return found
