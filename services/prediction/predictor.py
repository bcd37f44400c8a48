"""A release that was verified, loaded and has repeated its golden predictions: only such a one may answer."""

import math
from collections.abc import Sequence
from pathlib import Path

from services.contract import names
from services.contract.digest import file_sha256, verify_directory
from services.contract.errors import Refused
from services.contract.release import Golden, Manifest, Release
from services.prediction.cells import KINDS, check_rows
from services.prediction.invalid import Invalid
from services.prediction.invocations import read_table
from services.prediction.runtimes import Cell, Model, find_runtime


class Predictor:
    def __init__(self, release: Release, model: Model) -> None:
        self.release = release
        self.manifest = release.manifest
        self._model = model

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[float]:
        """Raises Invalid when the model has no finite answer for these rows."""
        try:
            predictions = self._model.predict(rows)
        # scikit-learn's word for a row it cannot take, such as a category that was never trained.
        except ValueError as error:
            raise Invalid(422, "the model cannot take these rows: a value is outside what it was trained on") from error
        if not all(map(math.isfinite, predictions)):
            raise Invalid(422, "the model has no finite answer: a number is far outside what it was trained on")
        return predictions


def load_predictor(folder: Path, digest: str) -> Predictor:
    """Raises Refused for changed files, untrusted types and answers that differ from the golden ones."""
    verify_directory(folder, digest)
    manifest = Manifest.read(folder / names.MANIFEST_FILE)
    golden_path = folder / names.GOLDEN_FILE
    if (found := file_sha256(golden_path)) != manifest.golden:
        raise Refused(f"{golden_path}: expected digest {manifest.golden[:12]}…, found {found[:12]}…: package it again")
    if unknown := {column.type for column in manifest.inputs} - set(KINDS):
        raise Refused(f"expected inputs of {', '.join(KINDS)}, found {', '.join(sorted(unknown))}")
    model = find_runtime(manifest.library).load(folder / names.MODEL_FOLDER)
    predictor = Predictor(Release(digest=digest, manifest=manifest), model)
    _replay(predictor, Golden.read(golden_path))
    return predictor


def _replay(predictor: Predictor, golden: Golden) -> None:
    try:
        rows = read_table(golden.columns, golden.rows, predictor.manifest.inputs)
        found = predictor.predict(check_rows(rows, predictor.manifest.inputs))
    except Invalid as error:
        raise Refused(f"expected golden rows that the model takes, found: {error}") from error
    golden.check(found)
