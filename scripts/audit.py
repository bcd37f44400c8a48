"""Lists the packages of every environment and image from the locks, and asks a vulnerability service about them.

`sbom` writes CycloneDX files and needs no network; `check` asks the service, and names what it got no answer for.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[1]
OSV = "https://api.osv.dev/v1/query"
NONE_KNOWN, FOUND, NOT_CHECKED = 0, 1, 3
# Which locks each image is built from, and which image of .env it stands on (services/Dockerfile and its neighbours).
IMAGES = {
    "delivery": ("PYTHON_IMAGE", ("delivery", "uv")),
    "tools": ("PYTHON_IMAGE", ("delivery", "training", "spark", "prediction-onnx", "prediction-fasttext",
                               "prediction-sklearn", "uv")),
    "mlflow": ("PYTHON_IMAGE", ("mlflow", "uv")),
    "prediction-onnx": ("PYTHON_IMAGE", ("prediction-onnx",)),
    "prediction-fasttext": ("PYTHON_IMAGE", ("prediction-fasttext",)),
    "prediction-sklearn": ("PYTHON_IMAGE", ("prediction-sklearn",)),
}  # fmt: skip
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ \\;]+)(?: *; *([^\\]+?))? *\\?$")
_MAVEN = {"m": "http://maven.apache.org/POM/4.0.0"}


@dataclass(frozen=True)
class Pin:
    """A locked package; `marker` says on which platforms it is installed, empty for all."""

    name: str
    version: str
    marker: str
    sha256: tuple[str, ...]

    @property
    def is_here(self) -> bool:
        return not self.marker or Marker(self.marker).evaluate()


def read_lock(path: Path) -> list[Pin]:
    pins: list[Pin] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if found := _PIN.match(line):
            pins.append(Pin(found[1], found[2], (found[3] or "").strip(), ()))
        elif pins and (sha256 := re.search(r"--hash=sha256:([0-9a-f]{64})", line)):
            last = pins.pop()
            pins.append(Pin(last.name, last.version, last.marker, (*last.sha256, sha256[1])))
    return pins


def locks() -> dict[str, Path]:
    return {path.stem: path for path in sorted((ROOT / "requirements").glob("*.txt"))}


def _component(pin: Pin) -> Component:
    """Every file that the lock allows has its hash; which one is installed depends on the machine."""
    purl = PackageURL("pypi", None, pin.name, pin.version)
    return Component(
        name=pin.name,
        version=pin.version,
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in pin.sha256],
    )


def _base(variable: str) -> Component:
    line = next(line for line in (ROOT / ".env").read_text().splitlines() if line.startswith(f"{variable}="))
    name, _, tag = line.partition("=")[2].rpartition(":")
    purl = PackageURL("docker", *(name.rpartition("/")[::2] if "/" in name else (None, name)), tag)
    return Component(name=name, version=tag, type=ComponentType.CONTAINER, purl=purl, bom_ref=str(purl))


def _jar() -> Iterator[Component]:
    """The dependencies that are packed into the plugin's jar, neither provided nor for tests."""
    parent = ElementTree.parse(ROOT / "plugin" / "pom.xml").getroot()  # noqa: S314  our own file
    managed = {_artifact(one): one for one in parent.iterfind(".//m:dependencyManagement//m:dependency", _MAVEN)}
    own = ElementTree.parse(ROOT / "plugin" / "package-repository" / "pom.xml").getroot()  # noqa: S314
    for one in own.iterfind("m:dependencies/m:dependency", _MAVEN):
        known = managed[_artifact(one)]
        scope = one.findtext("m:scope", None, _MAVEN) or known.findtext("m:scope", "compile", _MAVEN)
        if scope == "compile":
            group, name = _artifact(one)
            version = _version(known.findtext("m:version", "", _MAVEN), parent)
            purl = PackageURL("maven", group, name, version)
            yield Component(name=name, group=group, version=version, purl=purl, bom_ref=str(purl))


def _artifact(dependency: ElementTree.Element) -> tuple[str, str]:
    return dependency.findtext("m:groupId", "", _MAVEN), dependency.findtext("m:artifactId", "", _MAVEN)


def _version(text: str, pom: ElementTree.Element) -> str:
    """A property's value, where the version is one."""
    return pom.findtext(f"m:properties/m:{text[2:-1]}", text, _MAVEN) if text.startswith("${") else text


def write_boms(folder: Path) -> list[Path]:
    """One for each lock, one for each image, and one for the plugin's jar."""
    components = {name: [_component(pin) for pin in read_lock(path)] for name, path in locks().items()}
    boms = {f"environment-{name}": list(of_lock) for name, of_lock in components.items()}
    for image, (base, used) in IMAGES.items():
        unique = {str(one.purl): one for name in used for one in components[name]}
        boms[f"image-{image}"] = [_base(base), *unique.values()]
    boms["jar-trackback-mlflow-plugin"] = list(_jar())
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{name}.cdx.json", name, parts) for name, parts in boms.items()]


def _write(path: Path, name: str, parts: list[Component]) -> Path:
    bom = Bom(components=parts)
    bom.metadata.component = Component(name=name, type=ComponentType.APPLICATION, bom_ref=name)
    bom.register_dependency(bom.metadata.component, parts)
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n", encoding="utf-8")
    return path


def check(url: str, names: list[str]) -> int:
    """Returns the exit code: FOUND before NOT_CHECKED before NONE_KNOWN, so that nothing unchecked is called clean."""
    codes = [_check(name, locks()[name], url) for name in names]
    return FOUND if FOUND in codes else max(codes)


def _check(name: str, lock: Path, url: str) -> int:
    wanted = {(pin.name.lower(), pin.version) for pin in read_lock(lock) if pin.is_here}
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--require-hashes"]
    command += ["--vulnerability-service", "osv", "--osv-url", url, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        _say(f"{name}: NOT CHECKED, expected an answer of {url}, found none: {reason}")
        return NOT_CHECKED
    return _report(name, wanted, answers)


def _report(name: str, wanted: set[tuple[str, str]], answers: list[dict[str, Any]]) -> int:
    asked = {(one["name"].lower(), one["version"]) for one in answers if "skip_reason" not in one}
    missing = sorted(f"{package} {version}" for package, version in wanted - asked)
    known = [(one, vulnerability) for one in answers for vulnerability in one.get("vulns", [])]
    for one, vulnerability in known:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        _say(f"{name}: {one['name']} {one['version']} has {vulnerability['id']}, fixed in {fixed}")
    if missing:
        _say(f"{name}: NOT CHECKED, the service was not asked for {', '.join(missing)}")
    _say(f"{name}: {len(wanted) - len(missing)} of {len(wanted)} packages checked, {len(known)} vulnerabilities known")
    return FOUND if known else NOT_CHECKED if missing else NONE_KNOWN


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/audit",
        description=__doc__,
        epilog="Exit of check: 0 nothing known of anything, 1 a vulnerability is known, 3 something was not checked.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    sbom = verbs.add_parser("sbom", help="write a CycloneDX file for each environment, image and the plugin's jar")
    sbom.add_argument("--out", type=Path, default=ROOT / "sbom", help="the folder (default: sbom)")
    asks = verbs.add_parser("check", help="ask a vulnerability service that speaks OSV's protocol")
    asks.add_argument("--url", default=OSV, help=f"(default: {OSV})")
    asks.add_argument("names", nargs="*", metavar="ENVIRONMENT", help="locks of requirements/ (default: all)")
    given = parser.parse_args()
    if given.verb == "sbom":
        for path in write_boms(given.out):
            _say(str(path))
        return 0
    if unknown := sorted(set(given.names) - set(locks())):
        parser.error(f"expected environments of {', '.join(locks())}; found {', '.join(unknown)}")
    return check(given.url, given.names or list(locks()))


if __name__ == "__main__":
    raise SystemExit(main())
