"""What the process that plants candidates says of each to the one that drills."""

from services.contract.record import ModelId, Record, RunId


class PlantedRun(Record):
    """A candidate as a run of MLflow."""

    plant: str
    run_id: RunId
    model_id: ModelId
