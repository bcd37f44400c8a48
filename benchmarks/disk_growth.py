"""`benchmarks/disk-growth`: what each promotion has added to the store and the ledgers of a platform that was used."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.contract import names
from services.contract.checkout import ROOT
from services.contract.errors import Refused
from services.contract.release import Manifest
from services.delivery.store import Store

_HEAD = ("model", "revision", "release", "its model", "ledger")


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    try:
        rows = list(growth(options.store, options.state))
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    sys.stdout.write(_line(_HEAD))
    for model, revision, *sizes in rows:
        sys.stdout.write(_line((model, revision, *(f"{size:,}" for size in sizes))))
    whole = sum(row[2] + row[3] + row[4] for row in rows)
    sys.stdout.write(f"{whole:,} bytes in all, {whole // len(rows):,} a promotion\n")
    return 0


def growth(store: Path, state: Path) -> Iterator[tuple[str, str, int, int, int]]:
    """Model, revision, and bytes: of the release, of the model that it was made of where no earlier one had it, and of
    the ledger's lines that name the revision. Raises Refused for a store without releases."""
    found = sorted(Store(store).releases(), key=lambda one: (one[1].model, one[1].candidate.promotion.number))
    if not found:
        raise Refused(f"expected releases in {store}, found none: promote a run first, or name another --store")
    seen: set[str] = set()
    for digest, manifest in found:
        used = manifest.candidate.digest
        folder = store / "models" / used
        cached = 0 if used in seen else _bytes(folder)
        seen.add(used)
        release = _bytes(store / names.RELEASES_FOLDER / digest)
        yield manifest.model, manifest.revision, release, cached, _ledger(state, manifest)


def _ledger(state: Path, manifest: Manifest) -> int:
    journal = state / manifest.model / names.JOURNAL_FILE
    lines = journal.read_bytes().splitlines(keepends=True) if journal.is_file() else []
    named = f'"{manifest.revision}"'.encode()
    return sum(len(line) for line in lines if named in line)


def _bytes(folder: Path) -> int:
    """As the disk counts them."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def _line(cells: Sequence[str]) -> str:
    model, revision, *sizes = cells
    return f"{model:20} {revision:14} {' '.join(f'{one:>14}' for one in sizes)}\n"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/disk-growth",
        description="Prints how many bytes each promotion has added: its release, the model that was cached on the way,"
        " and its lines of the ledger.",
    )
    kept = ROOT / ".trackback"
    parser.add_argument("--store", type=Path, default=kept / "store", help="a platform's store (.trackback/store)")
    parser.add_argument("--state", type=Path, default=kept / "rollout", help="its rollout service's state")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
