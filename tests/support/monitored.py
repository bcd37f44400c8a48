"""A release with its hold-out and answers in a store, and production that asks it: made up, of known distributions."""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy

from services.contract import names
from services.contract.candidate import DataDigest
from services.contract.digest import digest_directory
from services.contract.distribution import distribution_of
from services.contract.model_config import load_model_config
from services.contract.prediction import Prediction
from services.contract.prediction_log import LoggedPrediction
from services.contract.release import Manifest
from services.contract.validation import Validation
from services.delivery.monitoring.reference import Known, as_trained
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.messages import Scores
from services.delivery.store import Store
from tests.support.paths import MODELS
from tests.support.release_factory import build_release

HOLDOUT_ROWS = 800
FIRST = datetime(2026, 11, 27, 8, tzinfo=UTC)
_CUTS = ("Ideal", "Good", "Fair")


@dataclass(frozen=True)
class Traffic:
    """What is asked: how many single rows, and what was planted into them."""

    requests: int = 900
    carat_times: float = 1.0
    new_cuts: float = 0.0
    answers_off_by: float = 0.0
    digests_only: bool = False


def sample(seed: int, rows: int, traffic: Traffic = Traffic()) -> tuple[list[list[Any]], list[float], list[float]]:  # noqa: B008
    """Rows of carat, cut and grade, the prices that were answered and those that were paid."""
    random = numpy.random.default_rng(seed)
    carat = numpy.round(random.gamma(4, 0.25, rows) * traffic.carat_times, 3).tolist()
    cuts = random.choice(_CUTS, rows, p=(0.6, 0.3, 0.1))
    cuts = numpy.where(random.random(rows) < traffic.new_cuts, "Square", cuts).tolist()
    grades = random.integers(1, 6, rows).tolist()
    answers = [4000 * one + 10 * grade for one, grade in zip(carat, grades, strict=True)]
    paid = (numpy.array(answers) + random.normal(traffic.answers_off_by, 100, rows)).tolist()
    return [list(row) for row in zip(carat, cuts, grades, strict=True)], answers, paid


def records(release: str, traffic: Traffic = Traffic(), seed: int = 2) -> Iterator[LoggedPrediction]:  # noqa: B008
    """A request of one row every 20 s, of which each hundredth is refused."""
    rows, answers, _ = sample(seed, traffic.requests, traffic)
    for place, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        known = {"inputs": None if traffic.digests_only else [row], "predictions": [answer], "rows": 1, "status": 200}
        refused = {"rows": 0, "status": 422}
        yield LoggedPrediction.model_validate(
            {
                "at": FIRST + timedelta(seconds=20 * place),
                "request_id": f"r{place}",
                "model": "diamond-price",
                "revision": "1-aaaaaaaa",
                "release": release,
                "seconds": 0.001 * (1 + place % 10),
                "columns": ("carat", "cut", "grade"),
                **(refused if place % 100 == 99 else known),
            }
        )


def write_log(folder: Path, release: str, traffic: Traffic = Traffic()) -> Path:  # noqa: B008
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{one.model_dump_json()}\n" for one in records(release, traffic)]
    (folder / "predictions-0-0.jsonl").write_text("".join(lines))
    return folder


def write_labels(path: Path, traffic: Traffic = Traffic()) -> Path:  # noqa: B008
    _, _, paid = sample(2, traffic.requests, traffic)
    path.write_text("request_id,row,price\n" + "".join(f"r{place},0,{one}\n" for place, one in enumerate(paid)))
    return path


def build_monitored(root: Path) -> str:
    """The digest of a release in the store `root`, whose hold-out and answers are there too."""
    store = Store(root)
    rows, answers, paid = sample(1, HOLDOUT_ROWS)
    holdout = _csv(rows, paid)
    data = DataDigest(sha256=hashlib.sha256(holdout).hexdigest(), rows=HOLDOUT_ROWS, source="made up")
    (file := root / "holdout.csv").parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(holdout)
    store.put_holdout(file, data.sha256)
    plain = root / "releases" / build_release(root).digest
    manifest = _of(Manifest.read(plain / names.MANIFEST_FILE), data, answers)
    manifest.write(plain / names.MANIFEST_FILE)
    digest = digest_directory(plain)
    plain.rename(plain.with_name(digest))
    scores = Scores(classes=(), predictions=tuple(answers), edges=())
    edges = _edges(store, manifest)
    scores.model_copy(update={"edges": (None,) * edges}).write(
        store.scores_path(manifest.candidate.digest, data.sha256)
    )
    return digest


def known_of(root: Path, digest: str) -> Known:
    """As the store has it."""
    manifest = Manifest.read(root / "releases" / digest / names.MANIFEST_FILE)
    config = as_trained(load_model_config(MODELS, "diamond-price"), manifest)
    rows, answers, paid = sample(1, HOLDOUT_ROWS)
    return Known(manifest, config, Holdout(rows, paid, []), answers, ())


def without_holdout(known: Known) -> Known:
    return replace(known, holdout=None, answers=None, notes=("inputs are not compared: MLflow is down",))


def _edges(store: Store, manifest: Manifest) -> int:
    from services.delivery.scoring.holdout import read_holdout

    config = as_trained(load_model_config(MODELS, "diamond-price"), manifest)
    return len(read_holdout(store.holdout(manifest.candidate.run.holdout.sha256), config).edges)


def _of(manifest: Manifest, data: DataDigest, answers: list[Prediction] | list[float]) -> Manifest:
    run = manifest.candidate.run.model_copy(update={"holdout": data})
    validation = Validation.model_validate({**dict(manifest.validation), "holdout": data})
    changes = {
        "candidate": manifest.candidate.model_copy(update={"run": run}),
        "validation": validation,
        "answers": distribution_of("regression", answers),
    }
    return manifest.model_copy(update=changes)


def _csv(rows: list[list[Any]], paid: list[float]) -> bytes:
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(("carat", "cut", "grade", "price"))
    lines.writerows([*row, price] for row, price in zip(rows, paid, strict=True))
    return written.getvalue().encode()
