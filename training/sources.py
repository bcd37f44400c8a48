"""The files that a model's rows are made from, and the SHA-256 of each."""

import csv
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path

from services.contract.candidate import Sources, SourcesDigest
from services.contract.digest import FileEntry, digest_files, file_sha256
from services.contract.errors import Refused


def package_files(packages: dict[str, str]) -> dict[str, Path]:
    """The files that `packages` ({distribution: pattern}) names: {path in site-packages: path on disk}, sorted.

    In a pattern `*` stands for any text, `/` included. Raises Refused when nothing matches.
    """
    found: dict[str, Path] = {}
    for package, pattern in packages.items():
        distribution = _distribution(package)
        names = [name for name in _listed(distribution) if fnmatchcase(name, pattern)]
        if not names:
            raise Refused(
                f"expected files of the package {package} like '{pattern}', found none in version "
                f"{distribution.version}: correct data.packages in model.yaml"
            )
        found |= {name: Path(str(distribution.locate_file(name))) for name in names}
    return dict(sorted(found.items()))


def package_sources(packages: dict[str, str]) -> Sources:
    """The files of `packages` that exist; one that its package lists and that was removed is left out."""
    files = package_files(packages)
    return Sources(
        packages={package: metadata.version(package) for package in packages},
        files=tuple(_entry(name, path) for name, path in files.items() if path.is_file()),
    )


def file_sources(path: Path, name: str | None = None) -> Sources:
    """One file of the user, recorded as `name` or its own name. Raises Refused when it cannot be read."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise Refused(
            f"{path}: expected a file, which is read twice, found a pipe or a device: write the rows to a file"
        )
    try:
        return Sources(packages={}, files=(_entry(name or path.name, path),))
    except OSError as error:
        raise Refused(f"{path}: expected a file with rows, cannot read it: {error.strerror}") from error


def in_short(sources: Sources) -> SourcesDigest:
    return SourcesDigest(packages=sources.packages, files=len(sources.files), sha256=digest_files(sources.files))


def other_versions(recorded: Sources, found: Sources) -> list[str]:
    """A line for each package that is installed in another version."""
    return [
        f"package {name}: expected version {recorded.packages.get(name, 'none')} as the run recorded, "
        f"found {found.packages.get(name, 'none')}"
        for name in sorted(recorded.packages.keys() | found.packages.keys())
        if recorded.packages.get(name) != found.packages.get(name)
    ]


def other_files(recorded: Sources, found: Sources) -> list[str]:
    """A line for each file that was changed, is missing or was added."""
    before, now = ({file.path: file.sha256 for file in sources.files} for sources in (recorded, found))
    return [
        f"file {path}: expected {_shown(before.get(path))} as the run recorded, found {_shown(now.get(path))}"
        for path in sorted(before.keys() | now.keys())
        if before.get(path) != now.get(path)
    ]


def _shown(sha256: str | None) -> str:
    return f"SHA-256 {sha256}" if sha256 else "no such file"


def _distribution(package: str) -> metadata.Distribution:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        raise Refused(
            f"expected the package {package} that data.packages in model.yaml names, found it not installed: "
            "add it to the requirements of the training environment"
        ) from error


def _listed(distribution: metadata.Distribution) -> list[str]:
    """The paths in the package's RECORD. `distribution.files` would leave out files that were deleted."""
    record = distribution.read_text("RECORD")
    return [line[0] for line in csv.reader((record or "").splitlines()) if line]


def _entry(name: str, path: Path) -> FileEntry:
    return FileEntry(path=name, size=path.stat().st_size, sha256=file_sha256(path))
