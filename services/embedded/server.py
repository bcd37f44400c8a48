"""Starts the CI server: `python -m services.embedded.server`, set by TRACKBACK_CI_* variables."""

import errno
import logging
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from services.contract.errors import Refused
from services.contract.http_protocol import limited
from services.contract.secret_file import read_secret
from services.contract.signals import exit_on
from services.embedded.api.app import create_app
from services.embedded.engine import CiEngine, Site
from services.embedded.pipelines.gocd_yaml import load_pipelines
from services.embedded.plugin.plugin_host import PluginHost, find_java
from services.embedded.polling.backoff import PollIntervals
from services.embedded.records.users import ADMIN, OPERATOR, read_passwords
from services.embedded.settings import CiSettings, inherited_environment, read_ci_settings
from services.embedded.state_lock import lock_state

# What is left of the five seconds in which the server ends goes to its jobs.
SHUTDOWN_SECONDS = 1


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        run(read_ci_settings())
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


def run(settings: CiSettings) -> None:
    """Serves until SIGTERM or SIGINT. Raises Refused."""
    pipelines = load_pipelines(settings.pipelines) if settings.pipelines else None
    site = _site(settings)
    token = read_secret(settings.token_file, "the token of the CI server") if settings.token_file else None
    with lock_state(settings.state), _listener(settings) as listener, _plugin_host(settings) as plugin:
        intervals = PollIntervals(settings.poll_seconds, settings.backoff_seconds, settings.backoff_max_seconds)
        engine = CiEngine(pipelines, plugin, site, intervals, file=settings.pipelines)
        app = create_app(engine, settings.names, token)
        # uvicorn raises the signal once more when it has ended; it must not end us before our jobs have.
        with exit_on(signal.SIGTERM, signal.SIGINT):
            try:
                engine.start()
                create_server(app).run(sockets=[listener])
            finally:
                engine.stop()


def create_server(app: FastAPI) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(app, http=limited(), ws="none", log_level="warning", timeout_graceful_shutdown=SHUTDOWN_SECONDS)
    )


def _plugin_host(settings: CiSettings) -> PluginHost:
    java = Path(settings.java) if settings.java != "java" else find_java(inherited_environment())
    return PluginHost(java, settings.host_jar, settings.plugin_jar, settings.state / "plugin")


def _site(settings: CiSettings) -> Site:
    return Site(
        state=settings.state.resolve(),
        server_url=settings.server_url,
        inherited=inherited_environment(),
        agents=settings.agents,
        images=settings.images,
        image_niceness=settings.image_niceness,
        mlflow_ui_url=settings.mlflow_ui_url,
        passwords=read_passwords({ADMIN: settings.password_file, OPERATOR: settings.operator_password_file}),
    )


def _listener(settings: CiSettings) -> socket.socket:
    """Taken before anything is started. Raises Refused when the port is not free."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        why = "in use by another process" if error.errno == errno.EADDRINUSE else str(error.strerror)
        raise Refused(
            f"{settings.host}:{settings.port}: expected a free port for the CI server, found it {why}:"
            " stop that process or set TRACKBACK_CI_PORT"
        ) from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
