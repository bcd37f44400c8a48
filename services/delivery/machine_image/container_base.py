"""The base of release images without an engine: Debian's Python, one runtime's locked packages and our sources.

It lays out the same paths as services/prediction/Dockerfile, so that a release's image is used in the same way.
"""

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from services.contract.checkout import ROOT
from services.contract.errors import Refused
from services.delivery.machine_image.debian import BUILDING, Recipe, build_tree
from services.delivery.machine_image.tools import EPOCH, ended

PACKAGES = ("libgomp1", "libpython3.11-stdlib", "libstdc++6", "python3.11-minimal", "tzdata")
SOURCES = ("services/__init__.py", "services/contract", "services/prediction")
LAYER = "layer.tar"
DEBS = "debs"
_PYTHON = "usr/bin/python3.11"
_VENV = "opt/venv"
_SITE = f"{_VENV}/lib/python3.11/site-packages"
_HOME = "opt/trackback"
# wheels for Python 3.11 on any Linux with the C library of Debian 12.
_WHEELS = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_36", "--only-binary", ":all:")
# No shell, no dpkg and no tool: the interpreter and what it loads.
_KEPT = ("lib", "lib64", "usr/lib", "usr/share/zoneinfo", "opt", "etc/passwd", "etc/group", _PYTHON)
_LEFT_OUT = ("usr/lib/apt", "usr/lib/dpkg", "usr/lib/valgrind", "lib/systemd", "lib/udev", "usr/lib/systemd")
# What a wheel brings for those who build on it or test it.
_FOR_BUILDERS = ("include", "tests")
_TEXTS = {
    f"{_VENV}/pyvenv.cfg": "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n",
    "etc/passwd": "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
    "scorer:x:64000:64000:scores batches:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nscorer:x:64000:\n",
}


def build_container_base(runtime: str, folder: Path, installer: Path) -> None:
    """Writes the one layer of the base into `folder`, not compressed, and the list of its packages. Raises Refused."""
    tree, files = folder / "tree.tar", folder / "files.tar"
    _lay_out(runtime, folder / "root", installer)
    with tarfile.open(files, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(folder / "root", ".", filter=_plain)
    shutil.rmtree(folder / "root")
    build_tree(Recipe(PACKAGES, files, _script(runtime), configured=False), tree)
    with tarfile.open(tree) as source, tarfile.open(folder / LAYER, "w", format=tarfile.PAX_FORMAT) as target:
        for entry in source:
            path = PurePosixPath(entry.name)
            if str(path) == f"{BUILDING}/{DEBS}" and (content := source.extractfile(entry)):
                (folder / DEBS).write_bytes(content.read())
            elif is_kept(path):
                target.addfile(_plain(entry), source.extractfile(entry) if entry.isreg() else None)
    tree.unlink()
    files.unlink()


def is_kept(path: PurePosixPath) -> bool:
    if path.match("usr/share/doc/*/copyright"):
        return True
    if any(path.is_relative_to(other) for other in _LEFT_OUT):
        return False
    if path.is_relative_to(_SITE) and any(part in _FOR_BUILDERS for part in path.parts):
        return False
    return any(path.is_relative_to(one) or PurePosixPath(one).is_relative_to(path) for one in _KEPT)


def _lay_out(runtime: str, root: Path, installer: Path) -> None:
    site = root / _SITE
    lock = lock_of(runtime)
    words = [
        str(installer),
        "pip",
        "install",
        "--quiet",
        "--target",
        str(site),
        "--link-mode",
        "copy",
        "--no-deps",
        *_WHEELS,
    ]
    code, said = ended([*words, "--require-hashes", "-r", str(lock)])
    if code != 0:
        raise Refused(f"expected the packages of {lock.name}, cannot have them: {' '.join(said.split())[-300:]}")
    shutil.rmtree(site / "bin", ignore_errors=True)
    for file in source_files(runtime)[:-1]:
        place = root / _HOME / file.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    for name, text in _TEXTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / _VENV / "bin").mkdir()
    for name in ("python", "python3"):
        (root / _VENV / "bin" / name).symlink_to(f"/{_PYTHON}")


def source_files(runtime: str) -> list[Path]:
    """All of the checkout that is in the base: sources, and the lock of its packages."""
    ours = [
        file for name in SOURCES for file in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))
    ]
    return [*sorted(ours), lock_of(runtime)]


def lock_of(runtime: str) -> Path:
    return ROOT / "requirements" / f"prediction-{runtime}.txt"


def _script(runtime: str) -> tuple[str, ...]:
    """Bytecode that is never checked, because a read-only root takes no other; the import is the first test."""
    python = f"/{_VENV}/bin/python -B"
    modules = f"services.prediction.__main__, services.prediction.runtimes.{runtime}, pyarrow.parquet, pyarrow.csv"
    return (
        f"{python} -m compileall -q --invalidation-mode unchecked-hash /{_HOME} /{_SITE} /usr/lib/python3.11",
        f"{python} -c \"import sys; sys.path.insert(0, '/{_HOME}'); import {modules}\"",
    )


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Of root and of one time, so that equal files are an equal layer."""
    entry.name = str(PurePosixPath(entry.name)) if entry.name not in ("", ".") else "."
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime, entry.mode, entry.pax_headers = EPOCH, entry.mode & ~0o6022, {}
    return entry


def configuration(runtime: str, diff_id: str) -> dict[str, object]:
    """Of the base image, as services/prediction/Dockerfile writes it."""
    entrypoint = ["python", "-m", "services.prediction", "/release", "--host", "0.0.0.0", "--port", "8000"]
    environment = [
        f"PATH=/{_VENV}/bin:/usr/bin",
        "PYTHONDONTWRITEBYTECODE=1",
        "PYTHONUNBUFFERED=1",
        f"TRACKBACK_RUNTIME={runtime}",
    ]
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": entrypoint, "Env": environment, "WorkingDir": f"/{_HOME}", "User": "10001:10001"},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": f"trackback image: prediction-{runtime}"}],
    }
