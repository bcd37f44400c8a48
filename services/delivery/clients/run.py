"""A run as MLflow's REST API tells it."""

from dataclasses import dataclass

from services.delivery.clients.mlflow_http import Json


@dataclass(frozen=True)
class RunInfo:
    run_id: str
    run_name: str
    experiment_id: str
    status: str
    lifecycle_stage: str
    start_time: int
    end_time: int
    artifact_uri: str


@dataclass(frozen=True)
class RunData:
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Run:
    """`model_ids` are those of the logged models, the newest last."""

    info: RunInfo
    data: RunData
    model_ids: tuple[str, ...]

    @classmethod
    def of(cls, found: Json) -> "Run":
        """From MLflow's JSON, which leaves out what is empty. Raises KeyError for what is no run."""
        info, data = found["info"], found.get("data", {})
        return cls(
            RunInfo(
                run_id=info["run_id"],
                run_name=info.get("run_name", ""),
                experiment_id=info["experiment_id"],
                status=info["status"],
                lifecycle_stage=info["lifecycle_stage"],
                start_time=int(info.get("start_time", 0)),
                end_time=int(info.get("end_time", 0)),
                artifact_uri=info["artifact_uri"],
            ),
            RunData(
                tags=_pairs(data.get("tags", [])),
                params=_pairs(data.get("params", [])),
                metrics={one["key"]: float(one["value"]) for one in data.get("metrics", [])},
            ),
            tuple(one["model_id"] for one in found.get("outputs", {}).get("model_outputs", [])),
        )


def _pairs(found: list[Json]) -> dict[str, str]:
    return {one["key"]: str(one.get("value", "")) for one in found}
