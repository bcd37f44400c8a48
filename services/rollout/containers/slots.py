"""Which slot of the gateway is whose: assigned to a model once, because a model's address never changes."""

from pathlib import Path
from threading import Lock

from services.contract.errors import Refused
from services.rollout.containers.gateway import Gateway
from services.rollout.state import Address, ModelFiles, known_models


class Slots:
    def __init__(self, state: Path, gateway: Gateway) -> None:
        self._state = state
        self._gateway = gateway
        self._lock = Lock()

    def find(self, model: str) -> str | None:
        return ModelFiles(self._state, model).address().slot

    def assign(self, model: str) -> str:
        """Raises Refused when every slot is another model's."""
        with self._lock:
            return self.find(model) or self._take_free(model)

    def _take_free(self, model: str) -> str:
        slots = self._gateway.slots()
        taken = {self.find(other) for other in known_models(self._state)}
        if not (free := [slot for slot in slots if slot not in taken]):
            raise Refused(
                f"expected a free slot of the gateway for {model}, all {len(slots)} are other models': "
                "add backends to services/gateway/haproxy.cfg"
            )
        files = ModelFiles(self._state, model)
        files.assign(Address(port=files.address().port, slot=free[0]))
        return free[0]
