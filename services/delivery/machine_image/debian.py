"""File trees of Debian packages, made by mmdebstrap from the mirror that this machine's apt uses."""

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from services.contract.errors import Refused
from services.contract.machine_image import DebianPackage
from services.delivery.machine_image.tools import ended

SUITE = "bookworm"
_SUITES = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
# Where a tree keeps what only its building needs; it does not travel.
BUILDING = "trackback"
LISTED = f"{BUILDING}/debs"
# A mirror may be a snapshot of a day that is long over.
_APT = ('Apt::Install-Recommends "false"', 'Acquire::Check-Valid-Until "false"', 'Acquire::Retries "3"')
_NO_FILES = ("man", "locale", "doc", "info", "i18n", "bug", "lintian")
_LIST = f'mkdir -p "$1/{BUILDING}" && cd "$1/var/cache/apt/archives" && sha256sum *.deb > "$1/{LISTED}"'


@dataclass(frozen=True)
class Recipe:
    """`packages` with all they depend on; `files` is a tar that is added before they are configured, `script` runs in
    the tree afterwards. Where `configured` is False packages are unpacked only: their scripts never run.
    """

    packages: tuple[str, ...]
    files: Path
    script: Sequence[str]
    configured: bool


def build_tree(recipe: Recipe, target: Path) -> None:
    """Writes the tree to the tar `target`. Raises Refused with what mmdebstrap says in the end."""
    code, said = ended(["mmdebstrap", *_options(recipe), SUITE, str(target), *sources()])
    if code != 0:
        mirror, problem = (_without_login(text) for text in (sources()[0], _problem(said)))
        raise Refused(
            f"expected mmdebstrap to make a tree of Debian packages from {mirror}, found: {problem}: is the mirror "
            "reachable? What was made before is in the store and needs none"
        )


def _options(recipe: Recipe) -> Iterable[str]:
    yield from ("--mode=root" if os.geteuid() == 0 else "--mode=unshare", "--format=tar", "--skip=essential/unlink")
    yield f"--variant={'essential' if recipe.configured else 'extract'}"
    yield f"--include={','.join(recipe.packages)}"
    yield from (f"--aptopt={option}" for option in _APT)
    if recipe.configured:
        yield from (f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _NO_FILES)
        yield "--dpkgopt=path-include=/usr/share/doc/*/copyright"
    # Hooks for customizing are not called where packages are unpacked only.
    before, after = ("essential", "customize") if recipe.configured else ("extract", "extract")
    yield f"--{before}-hook=tar-in {recipe.files} /"
    yield f"--{after}-hook={_LIST}"
    yield from (f'--{after}-hook=chroot "$1" {command}' for command in recipe.script)


def _problem(said: str) -> str:
    """apt gives the reason in the line after the address that failed; others begin theirs with E."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reasons = [after for line, after in pairwise(lines) if line.startswith("Err:")]
    errors = [line.removeprefix("E: ") for line in lines if line.startswith(("E: ", "dpkg: error"))]
    return (reasons or errors or lines[-1:] or ["no message"])[0]


def _without_login(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)


def sources() -> list[str]:
    """apt's own sources of Debian, a line each."""
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI)\t$(CODENAME)\t$(COMPONENT)", "Created-By: Packages"]
    found = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    lines = {tuple(line.split("\t")) for line in found.splitlines()}
    chosen = [
        f"deb {uri} {suite} main"
        for suite in _SUITES
        for uri, name, part in sorted(lines)
        if (name, part) == (suite, "main")
    ]
    if not any(line.endswith(f" {SUITE} main") for line in chosen):
        raise Refused(f"expected apt's sources to have Debian's {SUITE}, found none: add them, and run apt-get update")
    return chosen


def read_listing(text: str) -> tuple[DebianPackage, ...]:
    """Lines of sha256sum about `<name>_<version>_<architecture>.deb`."""
    found = [re.fullmatch(r"([0-9a-f]{64})  ([^_]+)_([^_]+)_([^_]+)\.deb", line) for line in text.splitlines()]
    return tuple(
        sorted(
            (
                DebianPackage(name=one[2], version=unquote(one[3]), architecture=one[4], sha256=one[1])
                for one in found
                if one
            ),
            key=lambda one: one.name,
        )
    )
