"""A frame that Spark has answered, as predictions."""

from typing import Any

import pytest

from services.contract.errors import Refused
from services.contract.prediction import Labelled
from services.contract.spark import predictions


def test_a_label_with_a_name_has_the_probability_at_its_place() -> None:
    answers: dict[str, list[Any]] = {"prediction": ["Gentoo", "Adelie"], "probability": [[0.3, 0.7], [0.9, 0.1]]}
    assert predictions(answers, ["Adelie", "Gentoo"], all_classes=True) == [
        Labelled(label="Gentoo", probability=0.7, probabilities={"Adelie": 0.3, "Gentoo": 0.7}),
        Labelled(label="Adelie", probability=0.9, probabilities={"Adelie": 0.9, "Gentoo": 0.1}),
    ]


def test_without_names_it_is_the_probability_of_1_whichever_label_is_answered() -> None:
    answers: dict[str, list[Any]] = {"prediction": [0.0, 1.0], "probability": [[0.75, 0.25], [0.5, 0.5]]}
    assert predictions(answers, None, all_classes=True) == [
        Labelled(label=0, probability=0.25, probabilities={"0": 0.75, "1": 0.25}),
        Labelled(label=1, probability=0.5, probabilities={"0": 0.5, "1": 0.5}),
    ]


def test_unless_all_are_asked_for_it_has_no_others() -> None:
    answers: dict[str, list[Any]] = {"prediction": [0.0], "probability": [[0.75, 0.25]]}
    assert predictions(answers, None) == [Labelled(label=0, probability=0.25)]


def test_without_probabilities_it_is_a_number() -> None:
    assert predictions({"prediction": [1.5, -2.0]}, None) == [1.5, -2.0]


@pytest.mark.parametrize("labels", [None, ["Adelie", "Gentoo"]])
def test_a_model_of_more_labels_than_have_names_is_refused(labels: list[str] | None) -> None:
    answers: dict[str, list[Any]] = {"prediction": [0.0], "probability": [[0.2, 0.3, 0.5]]}
    with pytest.raises(Refused, match="expected a model of the labels .*, found one of another number"):
        predictions(answers, labels)
