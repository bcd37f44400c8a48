"""A registry as far as deleting goes: it answers as registry 2.8 does, to which test_container_image.py holds it."""

import re
from dataclasses import dataclass, field

import httpx

_PLACE = re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<reference>[^/]+)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MESSAGES = {
    "UNSUPPORTED": "The operation is unsupported.",
    "DIGEST_INVALID": "provided digest did not match uploaded content",
    "MANIFEST_UNKNOWN": "manifest unknown",
}


@dataclass
class DeletingRegistry:
    """`manifests` are places, `<repository>@<digest>`; without REGISTRY_STORAGE_DELETE_ENABLED it `deletes` nothing."""

    deletes: bool = True
    manifests: set[str] = field(default_factory=set)

    def answer(self, request: httpx.Request) -> httpx.Response:
        found = _PLACE.fullmatch(request.url.path)
        assert found, request.url.path
        assert request.method == "DELETE"
        place = "{repository}@{reference}".format(**found.groupdict())
        if not self.deletes:
            return _refusal(405, "UNSUPPORTED")
        if not _DIGEST.fullmatch(found["reference"]):
            # A tag, which the distribution's specification lets other registries delete.
            return _refusal(400, "DIGEST_INVALID")
        if place not in self.manifests:
            return _refusal(404, "MANIFEST_UNKNOWN")
        self.manifests.remove(place)
        return httpx.Response(202)


def _refusal(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"code": code, "message": MESSAGES[code]}]})
