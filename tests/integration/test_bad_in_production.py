"""Candidates that pass every gate and are bad only in production are taken back by themselves, under load."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from plotnine.data import diamonds
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from demo.drills.catalogue import IN_PRODUCTION
from demo.drills.declaration import OWN_TYPES, STEPS
from demo.drills.production import IN_BAKE, TakenBack, drill, table
from services.contract.ledger import JournalEvent
from services.contract.own_code import module_name, run_module
from services.contract.rollout_plan import RolloutPlan
from tests.support.poll import poll_until
from tests.support.release_factory import ROWS, ReleasePlan, build_release
from tests.support.rollout_service import RolloutService, running
from tests.support.web_receiver import Receiver, receiving

# All that a rollout service sees of a model; its gates have their own drill.
SOURCE = OWN_TYPES.read_bytes()
MODULE = module_name(SOURCE)
TYPES = run_module(MODULE, OWN_TYPES, SOURCE)
PLAN = RolloutPlan.model_validate(STEPS)


def played() -> list[tuple[Any, ...]]:
    """Diamonds as they were sold, with their clarity as a grade."""
    rows = diamonds.sample(2000, random_state=18)
    grades = rows["clarity"].cat.codes
    return list(zip(rows["carat"], rows["cut"].astype(str), grades.astype(int), strict=True))


def fitted(rows: Sequence[tuple[Any, ...]]) -> Any:
    prices = diamonds.loc[diamonds.sample(2000, random_state=18).index, "price"]
    chosen = make_column_transformer(("passthrough", [0, 2]))
    return make_pipeline(chosen, LinearRegression()).fit(numpy.array(rows, dtype=object), prices)


def missed(rows: Sequence[tuple[Any, ...]]) -> list[list[float]]:
    """Pairs of carat and grade, about 2 % of the rows, of which no golden row has one."""
    pairs = pandas.Series([(float(carat), float(grade)) for carat, _, grade in rows])
    counts = pairs.value_counts()
    golden = {(float(carat), float(grade)) for carat, _, grade in ROWS}
    found, share = list[list[float]](), 0
    for pair, count in counts[counts <= 5].items():
        if share < 0.02 * len(rows) and pair not in golden:
            found.append(list(pair))
            share += count
    return found


def own_code(folder: Path) -> None:
    code = folder / "model" / "code"
    code.mkdir()
    (code / f"{MODULE}.py").write_bytes(SOURCE)
    names = ("SlowTogether", "Leaks", "Misses", "Drifts")
    trusted = "".join(f"    - {MODULE}.{name}\n" for name in names)
    (folder / "model" / "MLmodel").write_text(
        f"flavors:\n  sklearn:\n    serialization_format: skops\n    skops_trusted_types:\n{trusted}"
    )


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[TakenBack], RolloutService, Receiver]]:
    rows = played()
    model = fitted(rows)
    faulty = {
        "misses-some-rows": TYPES.Misses(model=model, columns=[0, 2], missed=missed(rows)),
        "drifts": TYPES.Drifts(model=model),
        "leaks": TYPES.Leaks(model=model),
        "slow-together": TYPES.SlowTogether(model=model),
    }
    bodies = [json.dumps({"instances": [row]}).encode() for row in rows]
    with receiving(Receiver()) as receiver, pytest.MonkeyPatch.context() as patched:
        patched.setenv("TRACKBACK_NOTIFY_URL", receiver.url)
        with running(RolloutService(tmp_path_factory.mktemp("drill"))) as service:
            live = build_release(service.store, ReleasePlan(estimator=model, rollout=PLAN)).digest
            planted = {
                name: build_release(
                    service.store, ReleasePlan(number=number, estimator=estimator, rollout=PLAN, spoil=own_code)
                ).digest
                for number, (name, estimator) in enumerate(faulty.items(), 2)
            }
            yield list(drill(service, live, planted, bodies)), service, receiver


def test_each_kind_is_taken_back_by_itself_without_a_failed_request(
    drilled: tuple[list[TakenBack], RolloutService, Receiver],
) -> None:
    found, service, receiver = drilled
    assert [one.kind for one in found] == [plant.name for plant in IN_PRODUCTION]
    assert [one.kind for one in found if not one.as_expected] == [], table(found)
    assert [one.step for one in found] == ["bake" if one.kind in IN_BAKE else "canary of 50%" for one in found]
    ledger = service.ledger()
    for one in found:
        told = [entry for entry in ledger if one.why in (entry.message, entry.deployment and entry.deployment.reason)]
        assert [entry.event for entry in told] == [
            JournalEvent.LIVE if one.kind in IN_BAKE else JournalEvent.REFUSED
        ], one
    in_bake = [one.why for one in found if one.kind in IN_BAKE]
    poll_until(lambda: len(receiver.got) >= len(in_bake), "the notifications")
    summaries = [json.loads(body)["summary"] for _, _, body in receiver.got]
    assert [why for why in in_bake if not any(why in summary for summary in summaries)] == []
