"""A machine image: which release it scores with, what it is made of, and what was checked of it."""

from services.contract.record import ModelName, Record, Revision, RunId, Sha256
from services.contract.release import ImageDigest


class DebianPackage(Record):
    """`sha256` is of the .deb file that was installed."""

    name: str
    version: str
    architecture: str
    sha256: Sha256


class HygieneCheck(Record):
    """`found` is what speaks against it, empty when nothing does."""

    name: str
    ok: bool
    found: str = ""


class ImageContent(Record):
    """What a disk can say of itself; it lies in the boot partition as `trackback/image.json`.

    `image` is the digest of the container image's manifest. `base_*` and `release_*` are of the two file systems, whose
    digests are on the kernel's command line, too. `recipe` is the digest of what the base is made by, and `drift` names
    packages that the lock has in another version.
    """

    model: ModelName
    revision: Revision
    run_id: RunId
    release: Sha256
    image: ImageDigest
    recipe: Sha256
    kernel: str
    command_line: str
    base_sha256: Sha256
    base_bytes: int
    release_sha256: Sha256
    release_bytes: int
    packages: tuple[DebianPackage, ...]
    drift: tuple[str, ...] = ()


class MachineImage(ImageContent):
    """`image.json`: the content, and the raw disk `file` in the folder of the store that has the release's digest."""

    file: str
    bytes: int
    sha256: Sha256
    checks: tuple[HygieneCheck, ...]
