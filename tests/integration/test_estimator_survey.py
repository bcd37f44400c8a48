"""The page of scikit-learn's estimators says what the product does with each, asked again."""

from scripts.estimator_survey import PAGE, page, tables


def test_the_page_says_what_becomes_of_every_estimator() -> None:
    """After a change: `make estimator-survey`."""
    assert PAGE.read_text(encoding="utf-8") == page(tables())
