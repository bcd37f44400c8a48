"""Scores files of rows with one release: the command of a release's container for offline batch."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow

from services.contract import names
from services.contract.errors import Refused
from services.contract.receipt import Receipt
from services.contract.release import Golden
from services.contract.signals import surely_exit_on
from services.prediction.ask import nothing_printed
from services.prediction.batch.failure import Status, status_of
from services.prediction.batch.formats import FORMATS
from services.prediction.batch.input_files import find_input
from services.prediction.batch.job import Job, Options
from services.prediction.batch.output import FORMATS as OUTPUT_FORMATS
from services.prediction.batch.replay import replay
from services.prediction.predictor import load_predictor

EXAMPLE = "example: python -m services.prediction.batch /release --digest <digest> --input /in --output /out --keep id"
STATUSES = (
    "exit status: 0 done, 1 anything else, 64 wrong input, 65 another release or other golden answers, 66 no input, "
    "73 output that cannot be written"
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # One process is one core; libgomp reads this once, when the ML library is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pyarrow.set_cpu_count(1)
    # Arrow's own keeps a third more than is in use.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    with nothing_printed():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        predictor = load_predictor(options.release, options.digest)
        golden = Golden.read(options.release / names.GOLDEN_FILE)
        replay(predictor, golden)
    except Refused as refusal:
        return _said(str(refusal), Status.WRONG_RELEASE)
    wanted = Options(options.keep, options.image, options.output_format)
    try:
        job = Job(predictor, golden, find_input(options.input, options.format), wanted, _tell)
        return _said(_told(job.run(options.output), options.output), Status.DONE)
    except Refused as refusal:
        return _said(str(refusal), status_of(refusal))


def _told(receipt: Receipt, folder: Path) -> str:
    shift = "not compared" if receipt.shift is None else f"stability index {receipt.shift:.3f}"
    return (
        f"{receipt.model} {receipt.revision}: {receipt.rows_scored} of {receipt.rows_in} rows scored, "
        f"{receipt.rows_rejected} rejected, {receipt.rows_per_second:.0f} rows/s; answers against "
        f"{receipt.compared_with}: {shift}; {folder / names.RECEIPT_FILE}"
    )


def _said(text: str, status: Status) -> int:
    _tell(text)
    return status


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in text.split(",") if name))


def _digest(text: str) -> str:
    if not names.SHA256.fullmatch(text.removeprefix("sha256:")) or not text.startswith("sha256:"):
        raise argparse.ArgumentTypeError(f"expected sha256:<64 hexadecimal digits>, found '{text}'")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.prediction.batch",
        description="Scores files of rows with one release, as it answers online.",
        epilog=f"{STATUSES}. {EXAMPLE}",
    )
    parser.add_argument("release", type=Path, help="the release's folder")
    parser.add_argument("--digest", required=True, help="the SHA-256 that the folder must have")
    parser.add_argument("--input", type=Path, required=True, metavar="PATH", help="a file of rows, or a folder of them")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR",
        help=f"an empty or new folder for scored/, rejected/ and {names.RECEIPT_FILE}, which is written last",
    )  # fmt: skip
    parser.add_argument(
        "--keep", type=_names, default=(), metavar="NAME,…", help="columns of the input that the scored rows have too"
    )
    parser.add_argument("--format", choices=FORMATS, help="of the input; by the names of its files if not given")
    parser.add_argument("--output-format", choices=OUTPUT_FORMATS, default=OUTPUT_FORMATS[0], help="of the output")
    parser.add_argument("--image", type=_digest, metavar="DIGEST", help="the image of this container, for the receipt")
    return parser


if __name__ == "__main__":
    # The first process of a container is not ended by a signal that it does not handle.
    with surely_exit_on(signal.SIGTERM):
        sys.exit(main())
