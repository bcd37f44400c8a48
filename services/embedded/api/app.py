"""The FastAPI application of the CI server: GoCD's API and the page."""

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.middleware.gzip import GZipMiddleware

from services.contract import http_guard
from services.embedded.api import (
    access,
    config_repos,
    files,
    materials,
    modifications,
    packages,
    pipelines,
    plugin_info,
    repositories,
    server_info,
    stages,
    value_stream,
)
from services.embedded.api.authentication import Authentication
from services.embedded.api.page import render_page
from services.embedded.api.protocol import HANDLERS, CurrentEngine, refusal, with_tags
from services.embedded.engine import CiEngine
from services.embedded.plugin.interface import PluginFailed

_RESOURCES = (
    server_info,
    access,
    config_repos,
    pipelines,
    stages,
    files,
    repositories,
    packages,
    plugin_info,
    materials,
    modifications,
    value_stream,
)
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}


def create_app(engine: CiEngine, hosts: Sequence[str], token: str | None = None) -> FastAPI:
    """`hosts` are the names under which it answers; with a token, only requests that hold it may change anything."""
    app = FastAPI(title="Trackback CI", openapi_url=None, redirect_slashes=False)
    app.state.engine = engine
    app.middleware("http")(with_tags)
    app.middleware("http")(Authentication(engine.users))
    app.add_middleware(GZipMiddleware, minimum_size=1)
    app.add_middleware(http_guard.Guard, access=http_guard.Access(hosts, token))
    for error, handler in {**HANDLERS, **files.HANDLERS}.items():
        app.add_exception_handler(error, handler)
    app.add_exception_handler(PluginFailed, _plugin_failed)
    for resource in _RESOURCES:
        app.include_router(resource.router)
    app.include_router(config_repos.internal)
    app.add_api_route("/", page)
    app.add_api_route("/go", page)
    return app


def page(engine: CurrentEngine) -> Response:
    return HTMLResponse(render_page(engine), headers=_PAGE_HEADERS)


def _plugin_failed(request: Request, failure: Exception) -> Response:
    return refusal(request, 500, {"message": str(failure)})
