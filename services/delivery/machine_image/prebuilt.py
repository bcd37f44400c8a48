"""`python -m services.delivery.machine_image.prebuilt STORE TARGET`: the base of machine images for a stack's image.

It is made in STORE, which may be a cache, unless that has it, and copied into TARGET.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from services.contract.errors import Refused
from services.delivery.machine_image.bases import os_recipe, take_os_base
from services.delivery.store import MACHINE_BASES, Store


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        sys.stderr.write(f"expected a folder to make it in and one to copy it to, found {len(arguments)} words\n")
        return 2
    cache, target = map(Path, arguments)
    try:
        take_os_base(Store(cache), locked=False)
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    place = Path(MACHINE_BASES) / os_recipe()
    shutil.copytree(cache / place, target / place)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
