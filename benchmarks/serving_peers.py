"""The servers that `benchmarks/serving` measures, each started as its documentation says for one worker."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.model import MODEL
from benchmarks.serving_subjects import Served, inference, invocation

HOST = "127.0.0.1"
OURS, ECHO = "trackback", "echo"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    # One worker is one core, whatever the library would take.
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Place:
    """Where a server runs: its environment's programs, a folder of its own, its port, and two more for what else it
    opens."""

    programs: Path
    folder: Path
    port: int
    more_ports: tuple[int, int]

    def program(self, name: str) -> str:
        return str(self.programs / name)


Command = Callable[[Served, Place], list[str]]


@dataclass(frozen=True)
class Peer:
    """`environment` is a name of scripts/environments.py, `libraries` are those whose models it can serve, `package`
    is what its version is asked of."""

    name: str
    environment: Callable[[Served], str]
    package: str
    command: Command
    libraries: tuple[str, ...] = ("sklearn", "fasttext", "spark")
    path: str = "/invocations"
    encode: Callable[[Served, int], bytes] = invocation

    def unable(self, served: Served) -> str:
        """Why it cannot serve this model; empty when it can."""
        if served.library in self.libraries:
            return ""
        return f"serves models of {' and '.join(self.libraries)} only"


def variables(served: Served, place: Place) -> dict[str, str]:
    return {**_QUIET, MODEL: str(served.file), "PATH": f"{place.programs}:/usr/local/bin:/usr/bin:/bin"}


def _ours(served: Served, place: Place) -> list[str]:
    release = [str(served.release), "--digest", served.digest]
    return [place.program("python"), "-m", "services.prediction", *release, "--port", str(place.port)]


def _echo(_: Served, place: Place) -> list[str]:
    options = ["--http", "httptools", "--loop", "uvloop", "--no-access-log", "--lifespan", "off"]
    app = ["benchmarks.peers.echo:app", "--host", HOST, "--port", str(place.port)]
    return [place.program("python"), "-m", "uvicorn", *app, *options]


def _mlflow(folder: Callable[[Served], Path]) -> Command:
    def command(served: Served, place: Place) -> list[str]:
        options = ["--env-manager", "local", "--host", HOST, "--port", str(place.port), "--workers", "1"]
        return [place.program("mlflow"), "models", "serve", "--model-uri", str(folder(served)), *options]

    return command


def _mlserver(settings: Callable[[Served], dict[str, Any]]) -> Command:
    def command(served: Served, place: Place) -> list[str]:
        model = {"name": served.model, **settings(served)}
        ports = dict(zip(("http_port", "grpc_port", "metrics_port"), (place.port, *place.more_ports), strict=True))
        server = {"host": HOST, **ports, "parallel_workers": 1, "debug": False}
        (place.folder / "model-settings.json").write_text(json.dumps(model))
        (place.folder / "settings.json").write_text(json.dumps(server))
        return [place.program("mlserver"), "start", str(place.folder)]

    return command


def _mlserver_mlflow(served: Served) -> dict[str, Any]:
    return {"implementation": "mlserver_mlflow.MLflowRuntime", "parameters": {"uri": str(served.mlflow)}}


def _mlserver_sklearn(served: Served) -> dict[str, Any]:
    """With adaptive batching, as MLServer's page about it has it."""
    parameters = {"uri": str(served.file)}
    batching = {"max_batch_size": 32, "max_batch_time": 0.005}
    return {"implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters, **batching}


def _bentoml(_: Served, place: Place) -> list[str]:
    service = "benchmarks.peers.bentoml_service:Model"
    return [place.program("bentoml"), "serve", service, "--host", HOST, "--port", str(place.port)]


def _module(name: str) -> Command:
    return lambda _, place: [place.program("python"), "-m", name, str(place.port)]


def _fixed(name: str) -> Callable[[Served], str]:
    return lambda _: name


def _of_release(served: Served) -> str:
    return f"prediction-{served.runtime}"


PEERS = (
    Peer(OURS, _of_release, "fastapi", _ours),
    Peer(ECHO, _of_release, "uvicorn", _echo),
    Peer("mlflow", _fixed("bench-mlflow"), "mlflow", _mlflow(lambda served: served.mlflow)),
    Peer(
        "mlflow-spark",
        _fixed("bench-mlflow-spark"),
        "mlflow",
        _mlflow(lambda served: served.logged),
        libraries=("spark",),
    ),
    Peer("mlserver-mlflow", _fixed("bench-mlserver"), "mlserver", _mlserver(_mlserver_mlflow)),
    Peer(
        "mlserver-sklearn",
        _fixed("bench-mlserver"),
        "mlserver",
        _mlserver(_mlserver_sklearn),
        libraries=("sklearn",),
        path="/v2/models/{model}/infer",
        encode=inference,
    ),
    Peer("bentoml", _fixed("bench-bentoml"), "bentoml", _bentoml),
    Peer("litserve", _fixed("bench-litserve"), "litserve", _module("benchmarks.peers.litserve_server")),
    Peer("ray-serve", _fixed("bench-ray-serve"), "ray", _module("benchmarks.peers.ray_server")),
)
BY_NAME = {peer.name: peer for peer in PEERS}
OTHERS = tuple(peer.name for peer in PEERS if peer.name not in (OURS, ECHO))
