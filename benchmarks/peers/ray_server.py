"""usage: python -m benchmarks.peers.ray_server PORT: a model behind Ray Serve, as its documentation has it."""

import signal
import sys
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.peers.model import answered, load


class Model:
    def __init__(self) -> None:
        self._ask = load()

    async def __call__(self, request: Request) -> dict[str, list[Any]]:
        return answered(self._ask, (await request.json())["dataframe_split"])


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    deployed = serve.deployment(num_replicas=1, max_ongoing_requests=100)(Model)
    serve.run(deployed.bind(), route_prefix="/invocations")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()
