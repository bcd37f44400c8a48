"""What a machine image is made of, as a bill of materials in CycloneDX JSON.

Source: CycloneDX 1.6, and the purl types `deb` and `pypi` of the Package URL specification.
"""

import json
import re
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from services.contract.machine_image import DebianPackage
from services.contract.release import Release

_DISTRIBUTION = re.compile(r".*site-packages/([^/]+)-([^/-]+)\.dist-info/METADATA")

Json = dict[str, Any]


def bill_of_materials(release: Release, packages: Iterable[DebianPackage], paths: Iterable[str]) -> bytes:
    """`paths` are those of the container: what is installed there is known by its metadata's place."""
    model = release.manifest
    components = [
        _model(release),
        *(_debian(one) for one in sorted(set(packages), key=lambda one: (one.name, one.version))),
        *(_python(name, version) for name, version in distributions(paths)),
    ]
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'trackback:{release.digest}')}",
        "version": 1,
        "metadata": {
            "timestamp": model.candidate.run.ended_at.isoformat(),
            "component": {"type": "operating-system", "name": model.model, "version": model.revision},
        },
        "components": components,
    }
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def distributions(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Name and version of every Python package, as PyPI spells names."""
    found = (_DISTRIBUTION.fullmatch(path) for path in paths)
    return sorted({(re.sub(r"[-_.]+", "-", one[1]).lower(), one[2]) for one in found if one})


def _model(release: Release) -> Json:
    candidate = release.manifest.candidate
    training = candidate.run.training
    facts = {
        "release": release.digest,
        "run": candidate.run.run_id,
        "training data": training.sha256 if training else "not recorded",
        "library": release.manifest.library,
    }
    return {
        "type": "machine-learning-model",
        "name": release.manifest.model,
        "version": release.manifest.revision,
        "hashes": [{"alg": "SHA-256", "content": candidate.digest}],
        "properties": [{"name": f"trackback:{name}", "value": value} for name, value in facts.items()],
    }


def _debian(one: DebianPackage) -> Json:
    purl = f"pkg:deb/debian/{quote(one.name)}@{quote(one.version, safe='')}?arch={one.architecture}&distro=debian-12"
    hashes = [{"alg": "SHA-256", "content": one.sha256}]
    return {"type": "library", "name": one.name, "version": one.version, "purl": purl, "hashes": hashes}


def _python(name: str, version: str) -> Json:
    purl = f"pkg:pypi/{name}@{quote(version, safe='')}"
    return {"type": "library", "name": name, "version": version, "purl": purl}
