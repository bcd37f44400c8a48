"""A store with releases of a toy model, and a rollout service over HTTP whose machine is played."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import Response

from services.contract import names
from services.rollout.app import create_app
from services.rollout.rollout import Rollout
from tests.support.poll import poll_until
from tests.support.ports import free_port
from tests.support.rollout_fakes import FakeMachine

GATEWAY = "/gateway"


@contextmanager
def rollout_service(folder: Path, store: Path) -> Iterator[str]:
    """Its URL; below `GATEWAY` every model answers `/health/ready` by the name of its live release."""
    machine = FakeMachine(folder, store, free_port())
    rollout = Rollout(machine.dependencies())
    app = create_app(rollout)

    @app.get(GATEWAY + "/models/{model}/health/ready")
    def ready(model: str, response: Response) -> None:
        if live := rollout.state(model).live:
            response.headers[names.RELEASE_HEADER] = live.release

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        poll_until(lambda: server.started, "the rollout service", pause=0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
        rollout.close()
