"""Shapes of a request that its parser takes and a proxy before it may read otherwise, which is how one is smuggled in.

What httptools refuses by itself is in tests/unit/contract/test_request_shapes.py as well. Source: RFC 9112.
"""

from collections.abc import Sequence

Problem = tuple[int, str]
VERSIONS = ("1.1", "1.0")
_CHUNKED_ONLY = (
    400,
    "expected Content-Length, or Transfer-Encoding: chunked alone, found another coding",
)
_ONE_HOST = 400, "expected one Host, found none or several: send the service's name and port once"
_NO_PATH = 400, "expected a path, or http://<the Host>/<path>, found another target or authority: send the path alone"
_VERSION = 400, "expected HTTP/1.1 or HTTP/1.0, found another version: send one of these"


def shape_problem(version: str, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Problem | None:
    """The status and words of a refusal. Names of headers are in lower case."""
    if version not in VERSIONS:
        return _VERSION
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return _ONE_HOST
    if target[:1] != b"/" and not _is_other_form(target, hosts):
        return _NO_PATH
    if b"#" in target:
        return _NO_PATH
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if codings and (version != "1.1" or [coding.strip(b" \t").lower() for coding in codings] != [b"chunked"]):
        return _CHUNKED_ONLY
    return None


def _is_other_form(target: bytes, hosts: Sequence[bytes]) -> bool:
    """The absolute form has the authority twice, and which of them counts is told differently by different servers."""
    scheme, _, rest = target.partition(b"://")
    authority = rest.partition(b"/")[0].partition(b"?")[0]
    return target == b"*" or (scheme.lower() == b"http" and [authority.lower()] == [host.lower() for host in hosts])
