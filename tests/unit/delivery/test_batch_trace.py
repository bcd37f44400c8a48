"""From a receipt, or the columns of a scored row, back to release and run; what is not recorded is refused."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.contract import names
from services.contract.errors import Refused
from services.contract.release import Release
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.trace import lines, of_receipt
from services.delivery.verbs.trace import trace as trace_verb
from tests.support.receipts import receipt_of
from tests.support.release_factory import WHEN, ReleasePlan, build_release

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return build_release(tmp_path / "store", ReleasePlan())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=tmp_path / "store", rollout_url=NOBODY, gocd_url=NOBODY)


def test_a_receipt_leads_to_release_run_and_data_without_any_server(settings: Settings, release: Release) -> None:
    found = of_receipt(settings, receipt_of(release), Path("receipt.json"))
    assert (found.release, found.candidate.run.run_id) == (release.digest, "a" * 32)
    assert found.candidate.run.training == release.manifest.candidate.run.training
    text = lines(found)
    assert "answered since  never online, as far as is known\n" in text
    assert "batches         none that the store knows\n" in text


def test_the_batches_of_a_release_are_told_the_newest_first(settings: Settings, release: Release) -> None:
    store = Store(settings.store)
    older = receipt_of(release)
    newer = receipt_of(release, rejected={"carat: expected a number": 2}, at=WHEN + timedelta(days=1), engine="spark")
    for one in (newer, older, newer):
        store.put_receipt(one)
    found = of_receipt(settings, older, Path("receipt.json"))
    assert found.batches == (newer, older)
    told = (
        "batches         2026-01-03 03:04:05 UTC: 8 of 10 rows by spark, 2 rejected; "
        "2026-01-02 03:04:05 UTC: 10 of 10 rows by container, 0 rejected\n"
    )
    assert told in lines(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"release": "c" * 64}, "expected the release cccccccccccc…, found none: run its pipeline again"),
        ({"model": "gem-price"}, "found gem-price 1-aaaaaaaa "),
        ({"revision": "7-aaaaaaaa"}, "found diamond-price 7-aaaaaaaa "),
        ({"run_id": "b" * 32}, f"found diamond-price 1-aaaaaaaa {'b' * 32}: it was changed"),
    ],
)
def test_a_receipt_that_no_release_stands_behind_is_refused(
    settings: Settings, release: Release, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused) as refused:
        of_receipt(settings, receipt_of(release, **changes), Path("receipt.json"))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_model_and_release_of_a_scored_row_find_its_release(settings: Settings, release: Release) -> None:
    store = Store(settings.store)
    other = build_release(settings.store, ReleasePlan(model="gem-price"))
    assert store.find_release("diamond-price", release.digest) == release.digest
    assert store.find_release("gem-price", other.digest[:12]) == other.digest
    for model, start in (("diamond-price", other.digest), ("gem-price", "../"), ("gem-price", "*")):
        with pytest.raises(Refused, match=f"expected a release of {model} in the store, found"):
            store.find_release(model, start)


def test_a_trace_is_of_a_model_or_of_a_receipt(tmp_path: Path) -> None:
    file = tmp_path / names.RECEIPT_FILE
    for model, receipt in ((None, None), ("diamond-price", file)):
        with pytest.raises(Refused, match="expected a model, or --receipt"):
            trace_verb(model, receipt=receipt)
    file.write_text("{}")
    with pytest.raises(Refused, match=r"receipt\.json"):
        trace_verb(receipt=file)
