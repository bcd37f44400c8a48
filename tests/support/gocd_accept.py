"""Which Accept headers GoCD takes, so that no stand-in of a test takes more. Versions: GoCD 26.1 API reference."""

import re

import httpx

# The first that fits; every path below /go is one of these, or GoCD does not have it.
VERSIONS = {
    r"/api/v1/health": 1,
    r"/api/version": 1,
    r"/api/server_health_messages": 1,
    r"/api/current_user.*": 1,
    r"/api/admin/plugin_info.*": 7,
    r"/api/admin/repositories.*": 1,
    r"/api/admin/packages.*": 2,
    r"/api/(admin|internal)/config_repos.*": 4,
    r"/api/internal/materials.*": 1,
    r"/api/materials/.*/modifications.*": 2,
    r"/api/pipelines/.*": 1,
    r"/api/stages/.*/run": 2,
    r"/api/stages/.*": 3,
}
ANYTHING = re.compile(r"(.*[,\s])?\*/\*([,\s].*)?")


def accepted(path: str, accept: str | None) -> bool:
    """Letter by letter: GoCD knows neither capitals nor lists, and only the health check takes `*/*` or none."""
    if path.startswith("/files/"):
        return True
    version = next((number for pattern, number in VERSIONS.items() if re.fullmatch(pattern, path)), None)
    if path == "/api/v1/health" and (accept is None or ANYTHING.fullmatch(accept)):
        return True
    return version is not None and accept in (f"application/vnd.go.cd.v{version}+json", "application/vnd.go.cd+json")


def not_found(accept: str | None) -> httpx.Response:
    """GoCD's answer to an Accept that it does not take there."""
    if re.fullmatch(r"application/vnd\.go\.cd\.v\d+\+json", accept or ""):
        page = "<html><body><h2>404 Not found</h2></body></html>"
        return httpx.Response(404, html=page)
    return httpx.Response(404, text="The url you are trying to reach appears to be incorrect.")
