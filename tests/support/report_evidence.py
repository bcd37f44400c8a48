"""Records and answers as the gates would give them, of scikit-learn's models on small made-up data, one set a task."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB

from services.contract.candidate import DataDigest
from services.contract.comparison import (
    Change,
    Comparison,
    Cost,
    Difference,
    Flip,
    Flips,
    Live,
    Shift,
    SignificanceTest,
)
from services.contract.gates import Margin
from services.contract.metrics import measure
from services.contract.prediction import Labelled, Prediction, number_of
from services.contract.task import Task
from services.contract.validation import Validation
from services.contract.verdict import Acceptance, Check, Estimate, Verdict, overall
from services.delivery.reports.evidence import Evidence

TASKS: tuple[Task, ...] = ("regression", "classification", "binary-classification")
ROWS = 1200
REVISION, LIVE = "7-aaaaaaaa", "6-bbbbbbbb"
_CUTS = ("Fair", "Good", "Very Good", "Premium", "Ideal")
_LANGUAGES = ("de", "fr", "nl", "pt-BR", "zh-Hant", "sv", "fi", "en", "da", "es")
_CARRIERS = ("AA", "B6", "DL", "EV", "UA")
_METRIC: dict[Task, str] = {
    "regression": "mean_absolute_error",
    "classification": "accuracy_score",
    "binary-classification": "average_precision_score",
}
_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "mean_absolute_error": (None, 1000.0),
    "r2_score": (0.8, None),
    "accuracy_score": (0.6, None),
    "f1_score": (0.5, None),
    "average_precision_score": (0.45, None),
    "log_loss": (None, 0.7),
    "expected_calibration_error": (None, 0.1),
}
_COSTS = (
    Cost(name="a row's time, median", unit="ms", candidate=1.2345678, live=0.98765432),
    Cost(name="model", unit="bytes", candidate=1_234_567, live=987_654),
    Cost(name="memory", unit="bytes", candidate=187_000_000, live=187_010_000),
)
HOLDOUT = DataDigest(sha256="d1" * 32, rows=ROWS, source="made-up rows")


@dataclass(frozen=True)
class Case:
    """Both records, and what both models answered."""

    validation: Validation
    comparison: Comparison
    evidence: Evidence

    @property
    def alone(self) -> Evidence:
        """What validate has: it asks the candidate only."""
        return replace(self.evidence, live=None)


@cache
def evidence(task: Task) -> Evidence:
    return {"regression": _diamonds, "classification": _languages, "binary-classification": _flights}[task]()


def _diamonds() -> Evidence:
    random = numpy.random.default_rng(1)
    carat = random.gamma(3, 0.3, 2 * ROWS) + 0.2
    cut = random.integers(0, len(_CUTS), 2 * ROWS)
    depth = random.normal(61.7, 1.4, 2 * ROWS)
    price = numpy.round(numpy.exp(7.7 + 1.3 * numpy.log(carat) + 0.08 * cut + random.normal(0, 0.09, 2 * ROWS)))
    inputs = numpy.column_stack((carat, cut, depth))
    answers = [
        model.fit(inputs[ROWS:], price[ROWS:]).predict(inputs[:ROWS]).tolist()
        for model in (HistGradientBoostingRegressor(max_iter=60, random_state=0), LinearRegression())
    ]
    rows = [
        (round(float(one), 2), _CUTS[at], round(float(two), 1))
        for one, at, two in inputs[:ROWS].tolist()
        for at in [int(at)]
    ]
    return Evidence("regression", "price", "USD", ("carat", "cut", "depth"), rows, price[:ROWS].tolist(), *answers)


def _languages() -> Evidence:
    random = numpy.random.default_rng(2)
    label = random.integers(0, len(_LANGUAGES), 2 * ROWS)
    inputs = (
        random.normal(0, 1, (2 * ROWS, 12))
        + 2.4 * numpy.eye(len(_LANGUAGES), 12)[label]
        + 0.4 * (label[:, None] % 3 == 0)
    )
    answers = [
        _most_likely(model.fit(inputs[ROWS:], label[ROWS:]).predict_proba(inputs[:ROWS]))
        for model in (LogisticRegression(C=0.3), GaussianNB(var_smoothing=0.5))
    ]
    words = numpy.abs(100 * inputs[:ROWS, 0]).astype(int).tolist()
    rows = [(f"A message of {count} words, <b>made up</b>, {'lorem ipsum ' * 12}",) for count in words]
    actual = [_LANGUAGES[at] for at in label[:ROWS].tolist()]
    return Evidence("classification", "label", "", ("text",), rows, actual, *answers)


def _most_likely(probabilities: numpy.ndarray) -> list[Prediction]:
    return [Labelled(label=_LANGUAGES[int(one.argmax())], probability=float(one.max())) for one in probabilities]


def _flights() -> Evidence:
    random = numpy.random.default_rng(3)
    hour, wind = random.integers(5, 23, 2 * ROWS), random.gamma(2, 5, 2 * ROWS)
    carrier = random.integers(0, len(_CARRIERS), 2 * ROWS)
    chance = 1 / (1 + numpy.exp(-(0.16 * (hour - 19) + 0.09 * (wind - 10) + 0.3 * (carrier - 2))))
    late = (random.random(2 * ROWS) < chance).astype(int)
    inputs = numpy.column_stack((hour, wind, carrier))
    models = (LogisticRegression(), HistGradientBoostingClassifier(max_iter=25, random_state=0))
    answers = [
        [
            Labelled(label=int(one >= 0.5), probability=float(one))
            for one in model.fit(inputs[ROWS:], late[ROWS:]).predict_proba(inputs[:ROWS])[:, 1]
        ]
        for model in models
    ]
    rows = [(_CARRIERS[int(at)], int(one), round(float(two), 3)) for one, two, at in inputs[:ROWS].tolist()]
    return Evidence(
        "binary-classification", "late", "", ("carrier", "hour", "wind_speed"), rows, late[:ROWS].tolist(), *answers
    )


@cache
def case(task: Task, verdict: Verdict, first: bool = False) -> Case:
    """What the gates would say of the answers, bent to `verdict`; nothing is live before the first model."""
    found = evidence(task)
    if first:
        found = replace(found, live=None)
    return Case(_validation(found, verdict), _comparison(found, verdict), found)


def _validation(found: Evidence, verdict: Verdict) -> Validation:
    assert found.candidate
    metrics = measure(found.task, found.actual, found.candidate)
    signature = "carat double, cut string, depth double"
    off = "fastText adds in another order for each batch; seen and accepted in March"
    checks = [
        _check("hold-out", f"the hold-out pinned in model.yaml, {HOLDOUT.sha256[:12]}", HOLDOUT.sha256[:12]),
        _check("signature", signature, signature),
        _check("load", "a model that answers", f"{ROWS} answers from a child process"),
        _check("finite", "only finite answers", f"0 NaN, infinite or none of {ROWS}"),
        _check("latency", "p99 ≤ 100 ms a row", "p99 2.7 ms"),
        *_threshold_checks(found, metrics, verdict),
        *_slice_checks(found),
        _check("stability", "the same answers one at a time and all at once", "12 rows differ", Verdict.FAIL, off=off),
        _check("leakage", "no row of the hold-out in the training data", "0 rows", examples=_examples(found)),
    ]
    return Validation(
        model="diamond-price",
        revision=REVISION,
        candidate="c0" * 32,
        holdout=HOLDOUT,
        verdict=overall(checks),
        checks=tuple(checks),
        metrics=metrics,
        latency_ms={"p50": 1.2345678901234567, "p99": 2.7182818284590451, "p99_by_the_clock": 3.1},
        warnings=(
            "this hold-out has decided 23 promotions, more than the 20 of gates.holdout_decisions: pin a new one",
        ),
        accepted=_accepted("validate") if verdict is Verdict.INCONCLUSIVE else None,
    )


def _threshold_checks(found: Evidence, metrics: dict[str, float], verdict: Verdict) -> list[Check]:
    bent = _METRIC[found.task]
    checks = []
    for name, value in metrics.items():
        if name not in _BOUNDS:
            continue
        low, high = _interval(value)
        least, most = _BOUNDS[name]
        if name == bent and verdict is not Verdict.PASS:
            beyond = 1.06 if verdict is Verdict.FAIL else 1.01
            least, most = (None, value / beyond) if least is None else (value * beyond, None)
        estimate = Estimate(
            metric=name, value=value, low=low, high=high, confidence=0.95, rows=ROWS, min=least, max=most
        )
        expected = f"≥ {least:.6g}" if least is not None else f"≤ {most:.6g}"
        told = f"{value:.6g} ({low:.6g} to {high:.6g})"
        checks.append(
            Check(
                name=name, gate="thresholds", verdict=_held(estimate), expected=expected, found=told, estimate=estimate
            )
        )
    return checks


def _interval(value: float) -> tuple[float, float]:
    return value - 0.031 * abs(value), value + 0.028 * abs(value)


def _held(one: Estimate) -> Verdict:
    if (one.max is not None and one.low > one.max) or (one.min is not None and one.high < one.min):
        return Verdict.FAIL
    inside = (one.max is None or one.high <= one.max) and (one.min is None or one.low >= one.min)
    return Verdict.PASS if inside else Verdict.INCONCLUSIVE


def _slices(found: Evidence) -> dict[str, list[int]]:
    place = 1 if found.task == "regression" else 0
    if found.task == "classification":
        values = [str(one) for one in found.actual]
    else:
        values = [str(row[place]) for row in found.rows]
    column = found.target if found.task == "classification" else found.columns[place]
    return {f"{column} {value}": [at for at, one in enumerate(values) if one == value] for value in sorted(set(values))}


def _slice_checks(found: Evidence) -> list[Check]:
    assert found.candidate
    metric = _METRIC[found.task]
    least, most = _BOUNDS[metric]
    checks = []
    for name, places in _slices(found).items():
        value = measure(found.task, [found.actual[at] for at in places], [found.candidate[at] for at in places])[metric]
        low, high = value * 0.92, value * 1.07
        bounds = {"min": least * 0.6} if least is not None else {"max": (most or 0) * 1.5}
        estimate = Estimate(metric=metric, value=value, low=low, high=high, confidence=0.95, rows=len(places), **bounds)
        expected = f"≥ {bounds['min']:g}" if "min" in bounds else f"≤ {bounds['max']:g}"
        checks.append(
            Check(
                name=f"{metric} of {name}",
                gate="slices",
                verdict=_held(estimate),
                expected=expected,
                found=f"{value:.6g}",
                estimate=estimate,
            )
        )
    return checks


def _check(gate: str, expected: str, found: str, verdict: Verdict = Verdict.PASS, **more: Any) -> Check:
    return Check(name=gate, gate=gate, verdict=verdict, expected=expected, found=found, **more)


def _examples(found: Evidence) -> tuple[dict[str, Any], ...]:
    return tuple(dict(zip(found.columns, found.rows[at], strict=True)) for at in range(2))


def _accepted(stage: str) -> Acceptance:
    at = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
    return Acceptance(
        stage=stage, revision=REVISION, by="grace", at=at, reason="the bound was set for last year's prices"
    )


def _comparison(found: Evidence, verdict: Verdict) -> Comparison:
    assert found.candidate
    metric = _METRIC[found.task]
    value = measure(found.task, found.actual, found.candidate)[metric]
    if found.live is None:
        return Comparison(
            model="diamond-price", revision=REVISION, candidate="c0" * 32, holdout=HOLDOUT, live=None, metric=metric,
            candidate_value=value, live_value=None, difference=None, interval=None, allowed=None, confidence=0.95,
            margin=Margin(relative=0.02), verdict=Verdict.PASS,
            summary=f"nothing is live yet, so this is the first release; its {metric} is {value:.4g}",
        )  # fmt: skip
    live = measure(found.task, found.actual, found.live)[metric]
    error = live if metric == "mean_absolute_error" else 1 - live
    allowed, width = 0.02 * error, 0.012 * error
    better, words = {
        Verdict.PASS: (width * 2, "not worse than live"),
        Verdict.FAIL: (-allowed - 2 * width, "worse than live"),
        Verdict.INCONCLUSIVE: (-allowed + 0.3 * width, "cannot be told from worse than live"),
    }[verdict]
    summary = (
        f"{words}: {metric} {live - better:.4g}, live {LIVE} has {live:.4g}; it is {better - width:.4g} to "
        f"{better + width:.4g} better with 95% confidence, at least {-allowed:.4g} is required"
    )
    equal = SignificanceTest(name="paired permutation", p_value=0.00019999, words="both are not equally good")
    return Comparison(
        model="diamond-price", revision=REVISION, candidate="c0" * 32, holdout=HOLDOUT,
        live=Live(revision=LIVE, release="ab" * 32, model_digest="e1" * 32),
        metric=metric, candidate_value=live - better, live_value=live, difference=better,
        interval=(better - width, better + width), allowed=allowed, confidence=0.95, margin=Margin(relative=0.02),
        verdict=verdict, summary=summary, test=equal, flips=_flips(found), changes=_changes(), costs=_COSTS,
        checks=(_check("compare", f"at least {-allowed:.4g} better", f"{better:.4g}", verdict),),
        differences=tuple(_differences(found, allowed, width, verdict)),
        shift=Shift(psi=0.0312345678, ks=0.0412345678, ks_p_value=0.2612345678, words="spread as before"),
        warnings=("the hold-out is another one than when the live model was delivered",),
        accepted=_accepted("compare") if verdict is Verdict.INCONCLUSIVE else None,
    )  # fmt: skip


def _differences(found: Evidence, allowed: float, width: float, verdict: Verdict) -> list[Difference]:
    metric, unit = _METRIC[found.task], allowed / 0.02
    slices: list[tuple[str | None, list[int]]] = [(None, list(range(ROWS))), *_slices(found).items()]
    return [
        Difference(
            metric=metric, slice=name, rows=len(places), candidate=unit * 0.97, live=unit,
            better_by=width * (2 - place), low=width * (1 - 1.5 * place), high=width * (3 - 0.5 * place),
            allowed=allowed * 5, p_value=0.0123456789 / (place + 1), adjusted_p_value=0.0345678912,
            verdict=verdict if name is None else Verdict.PASS if place < 5 else Verdict.INCONCLUSIVE,
        )
        for place, (name, places) in enumerate(slices)
    ]  # fmt: skip


def _flips(found: Evidence) -> Flips:
    assert found.candidate and found.live
    worst = tuple(
        Flip(
            inputs=dict(zip(found.columns, found.rows[at], strict=True)), actual=found.actual[at],
            candidate=_shown(found.candidate[at]), live=_shown(found.live[at]),
        )
        for at in range(50)
    )  # fmt: skip
    right = "within 10% of the target" if found.task == "regression" else "the label that is the target"
    return Flips(negative=61, positive=143, rows=ROWS, right=right, worst=worst)


def _shown(answer: Prediction) -> Any:
    return answer.label if isinstance(answer, Labelled) and isinstance(answer.label, str) else number_of(answer)


def _changes() -> tuple[Change, ...]:
    listed = [
        ("parameter", "max_iter", "200", "100"),
        ("parameter", "learning_rate", "0.1", None),
        ("training data", "SHA-256", "5a" * 32, "6b" * 32),
        ("training data", "rows", "43206", "43198"),
        ("library", "scikit-learn", "1.9.1", "1.9.0"),
        ("code", "training/models/diamond-price/train.py", "12 lines more, 3 fewer", None),
    ]
    more = [("column", f"column_{at}", f"mean {at}.25", f"mean {at}.5") for at in range(20)]
    return tuple(Change(kind=kind, name=name, candidate=new, live=old) for kind, name, new, old in [*listed, *more])
