"""usage: python -m benchmarks.peers.litserve_server PORT: a model behind LitServe, as its documentation has it."""

import sys
from typing import Any

import litserve

from benchmarks.peers.model import answered, load


class Model(litserve.LitAPI):
    def setup(self, _device: str) -> None:
        self._ask = load()

    def decode_request(self, request: dict[str, Any]) -> Any:
        return request["dataframe_split"]

    def predict(self, rows: Any) -> dict[str, list[Any]]:
        return answered(self._ask, rows)

    def encode_response(self, output: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Model(api_path="/invocations"), accelerator="cpu", workers_per_device=1, timeout=300)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
