"""Which models are measured, and what the processes of `benchmarks/batch-speed` tell each other."""

from pathlib import Path

from services.contract.record import ModelName, Record, Sha256

# As fast to train as a model of its kind can be, and as good as the gates demand.
VARIANTS = {"diamond-price": "boosted", "language-id": "thorough", "flight-delay": "boosted"}


class Subject(Record):
    """A release, MLflow's folder of the same model, and Parquet with so many rows; folders and files by their path."""

    model: ModelName
    library: str
    runtime: str
    digest: Sha256
    release: Path
    mlflow_model: Path
    input: Path
    rows: int


class Took(Record):
    """`peak_bytes` is the most that any one Python process held that asked the model; 0 where none did."""

    seconds: float
    peak_bytes: int
