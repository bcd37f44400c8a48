"""`scripts/lock-debian`: writes the lock of Debian packages as the mirror has them today."""

import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from services.contract.errors import Refused
from services.contract.machine_image import DebianPackage
from services.delivery.machine_image import container_base, os_base
from services.delivery.machine_image.bases import CONTAINER_TREE, OS_TREE
from services.delivery.machine_image.debian import LISTED, Recipe, build_tree, read_listing
from services.delivery.machine_image.debian_lock import write_lock
from services.delivery.machine_image.tools import BUILDING, require_tools
from services.delivery.output import say


def main() -> int:
    try:
        require_tools(BUILDING)
        trees = {OS_TREE: _found(os_base.PACKAGES, True), CONTAINER_TREE: _found(container_base.PACKAGES, False)}
        write_lock(trees, f"{datetime.now(UTC):%Y-%m-%d}")
    except Refused as refused:
        say(str(refused))
        return 1
    say(f"locked {sum(map(len, trees.values()))} Debian packages")
    return 0


def _found(packages: tuple[str, ...], configured: bool) -> tuple[DebianPackage, ...]:
    """The packages and all that they depend on, of which a tree is made and thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        files, tree = Path(folder) / "files.tar", Path(folder) / "tree.tar"
        tarfile.open(files, "w").close()
        build_tree(Recipe(packages, files, (), configured), tree)
        with tarfile.open(tree) as tar:
            listed = tar.extractfile(f"./{LISTED}")
            return read_listing(listed.read().decode() if listed else "")


if __name__ == "__main__":
    sys.exit(main())
