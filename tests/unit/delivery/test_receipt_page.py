"""The page of a receipt: every count and digest, the reasons of what was rejected, and nothing that becomes HTML."""

import re
from pathlib import Path
from typing import Any

import pytest

from services.contract.distribution import distribution_of
from services.contract.prediction import Labelled
from services.contract.receipt import InputFile, OutputFile, Receipt
from services.contract.release import Release
from services.delivery.reports.report import receipt_page
from tests.support.receipts import receipt_of
from tests.support.release_factory import ReleasePlan, build_release

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 12345 * 3 }}"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_release(tmp_path_factory.mktemp("store"), ReleasePlan())


def page(release: Release, **changes: Any) -> str:
    return receipt_page(receipt_of(release, **changes))


def told(text: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", text.rpartition("</style>")[2]).split())


def test_every_count_digest_and_version_stands_on_the_page(release: Release) -> None:
    receipt = receipt_of(release, rejected={"'carat': expected a number": 1, "'cut': missing": 2})
    found = told(receipt_page(receipt))
    assert "Batch of diamond-price, revision 1-aaaaaaaa" in found
    assert "7 of 10 rows were scored by the release&#39;s own container, 3 were rejected." in found
    for wanted in (
        *(receipt.release, receipt.run_id, str(receipt.image), "python 3.11.2", "pyarrow 25.0.1"),
        *(receipt.inputs[0].sha256, receipt.outputs[0].sha256, "2.048 kB", "scored/part-00000.parquet"),
        *("stability index 0.031 the answers hardly moved against the hold-out&#39;s answers", "4 2.5 s"),
    ):
        assert wanted in found
    assert found.index("2 &#39;cut&#39;: missing") < found.index("1 &#39;carat&#39;: expected a number")


def test_a_batch_in_which_all_is_well_has_no_table_of_reasons(release: Release) -> None:
    found = told(page(release, engine="spark", image=None, shift=None))
    assert "All of 10 rows were scored by Spark." in found
    for absent in ("Rows that were rejected", "stability index", "container image"):
        assert absent not in found


def test_answers_are_drawn_over_the_deciles_or_the_labels(release: Release) -> None:
    numbers = page(release)
    assert 'aria-label="Distribution of the answers"' in numbers
    assert "Share of rows in bins that each have a tenth of the hold-out&#39;s answers." in numbers
    assert "Share of rows in 10 bins." in page(release, compared_with="", shift=None)
    languages = [Labelled(label=f"language {place % 20:02}", probability=0.9) for place in range(200)]
    labels = page(release, distribution=distribution_of("classification", languages))
    assert 'aria-label="Labels that were answered"' in labels
    assert "all others" in labels
    assert "20 labels in all" in labels


def test_a_batch_of_which_nothing_was_scored_has_no_plot(release: Release) -> None:
    nothing = distribution_of("regression", [])
    found = page(release, rejected={"no": 10}, distribution=nothing, shift=None)
    assert "<svg" not in found
    assert "A plot is missing" not in found


def test_all_answers_alike_are_drawn_too(release: Release) -> None:
    alike = distribution_of("regression", [4.0] * 10)
    found = page(release, distribution=alike)
    assert "Share of rows in 2 bins." in found
    assert "A plot is missing" not in found


def test_of_thousands_of_files_the_first_are_shown_and_all_are_counted(release: Release) -> None:
    inputs = tuple(InputFile(path=f"part-{place}", bytes=1, sha256="e" * 64) for place in range(3000))
    found = page(release, inputs=inputs)
    assert "3,000 files, of which the first 50 are shown" in told(found)
    assert "part-49<" in found
    assert "part-50<" not in found
    assert "not counted" in found


def test_nothing_that_anybody_named_becomes_markup(release: Release) -> None:
    found = page(
        release,
        rejected={HOSTILE: 1},
        inputs=(InputFile(path=HOSTILE, bytes=1, sha256="e" * 64, rows=10),),
        outputs=(OutputFile(path=HOSTILE, bytes=1, sha256="e" * 64, rows=9),),
        versions={HOSTILE: HOSTILE},
        compared_with=HOSTILE,
    )
    assert "<script" not in found
    assert "<img" not in found
    assert "37035" not in found
    assert "default-src 'none'" in found


def test_a_receipt_is_read_from_its_file_and_shown_alike(release: Release, tmp_path: Path) -> None:
    receipt = receipt_of(release)
    receipt.write(tmp_path / "receipt.json")
    assert receipt_page(Receipt.read(tmp_path / "receipt.json")) == receipt_page(receipt)
