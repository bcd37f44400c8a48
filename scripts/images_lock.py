"""Digests of images: what scripts/images.lock has, and what the engine and the registries answer."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scripts.docker_cli import Docker
from scripts.environments import ROOT

LOCK = ROOT / "scripts" / "images.lock"
UNKNOWN = "unknown"
HEAD = """\
# The images of .env, and the digest of each when `scripts/doctor --lock` last asked; `unknown` where none answered.
"""


@dataclass(frozen=True)
class FoundImage:
    """Whether an image is here or can be pulled, and its digests if a registry gave it any; else the problem."""

    where: str
    digests: tuple[str, ...] = ()
    problem: str = ""


def look(docker: Docker, name: str) -> FoundImage:
    """Asks the engine, then the registry of an image that is not here."""
    here = docker.ask("image", "inspect", "--format", "{{json .RepoDigests}}", name)
    if here.code == 0:
        return FoundImage("here", tuple(digest.partition("@")[2] for digest in here.content() or []))
    there = docker.ask("buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", name)
    if there.code == 0:
        return FoundImage("can be pulled", (str(there.content()["digest"]),))
    # Without buildx, or with an old one: whether it is there, but not under which digest.
    there = docker.ask("manifest", "inspect", name)
    if there.code == 0:
        return FoundImage("can be pulled")
    return FoundImage("neither here nor in a registry", problem=there.problem.rpartition(": ")[2])


def read_lock() -> dict[str, str]:
    """{name: digest}, without those that are unknown."""
    lines = LOCK.read_text(encoding="utf-8").splitlines() if LOCK.is_file() else []
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return {name: digest for name, digest in pairs if digest != UNKNOWN}


def write_lock(docker: Docker, names: Sequence[str]) -> list[str]:
    """Writes the digests; one that is unknown now stays as it was. Returns a line for each of these."""
    before, found, told = read_lock(), {}, []
    with ThreadPoolExecutor(16) as pool:
        images = list(pool.map(lambda name: look(docker, name), names))
    for name, image in zip(names, images, strict=True):
        found[name] = image.digests[0] if image.digests else before.get(name, UNKNOWN)
        if not image.digests:
            told.append(f"{name}: {found[name]}, as before" if name in before else f"{name}: {UNKNOWN}")
            told[-1] += f" ({image.problem or 'no registry gave it a digest'})"
    LOCK.write_text(HEAD + "".join(f"{name} {digest}\n" for name, digest in found.items()), encoding="utf-8")
    return told
