"""Which bytes the name of an image stands for: scripts/images.lock, and what the engine and the registries say."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scripts.docker_cli import Docker
from scripts.environments import ROOT

LOCK = ROOT / "scripts" / "images.lock"
UNKNOWN = "unknown"
HEAD = """\
# The images of .env, and the digest of each when `scripts/doctor --lock` last asked; `unknown` where nobody could tell.
"""


@dataclass(frozen=True)
class Sight:
    """An image that is here or can be had, with its digests if a registry gave it any; else the problem."""

    where: str
    digests: tuple[str, ...] = ()
    problem: str = ""


def look(docker: Docker, name: str) -> Sight:
    """An image that is here is not asked for elsewhere."""
    here = docker.ask("image", "inspect", "--format", "{{json .RepoDigests}}", name)
    if here.code == 0:
        return Sight("here", tuple(digest.partition("@")[2] for digest in here.content() or []))
    there = docker.ask("buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", name)
    if there.code == 0:
        return Sight("can be pulled", (str(there.content()["digest"]),))
    # Without buildx, or with an old one: whether it is there, but not under which digest.
    there = docker.ask("manifest", "inspect", name)
    if there.code == 0:
        return Sight("can be pulled")
    return Sight("neither here nor to be had", problem=there.problem.rpartition(": ")[2])


def read_lock() -> dict[str, str]:
    """Names and the digests that are known."""
    lines = LOCK.read_text(encoding="utf-8").splitlines() if LOCK.is_file() else []
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return {name: digest for name, digest in pairs if digest != UNKNOWN}


def write_lock(docker: Docker, names: Sequence[str]) -> list[str]:
    """Says which digests nobody could tell; one that was known stays."""
    before, found, told = read_lock(), {}, []
    with ThreadPoolExecutor(16) as pool:
        sights = list(pool.map(lambda name: look(docker, name), names))
    for name, sight in zip(names, sights, strict=True):
        found[name] = sight.digests[0] if sight.digests else before.get(name, UNKNOWN)
        if not sight.digests:
            told.append(f"{name}: {found[name]}, as before" if name in before else f"{name}: {UNKNOWN}")
            told[-1] += f" ({sight.problem or 'no registry gave it a digest'})"
    LOCK.write_text(HEAD + "".join(f"{name} {digest}\n" for name, digest in found.items()), encoding="utf-8")
    return told
