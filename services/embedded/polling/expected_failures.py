"""Failed polls that are no fault: of a model that nobody has trained or promoted yet.

GoCD answers a first poll that finds nothing with a failure, and so does our API. The page for people tells the two
apart by the sentences of our plugin.
"""

NOTHING_PROMOTED = "Nothing was promoted yet: give a finished run in MLflow the tag 'promote'."
NOTHING_PREVIEWED = (
    "Nothing is to be previewed yet: give a run in MLflow the tag 'preview', with a pull request's number."
)
# What a person is told, by the beginning of the plugin's sentence; plugin/README.md has both sentences.
EXPLANATIONS = {
    "nothing promoted in ": NOTHING_PROMOTED,
    "expected an experiment named ": "Nobody trained this model yet: trackback train logs its first run.",
}


def explanation(detail: str) -> str | None:
    """What a person is told in place of the `detail` of a server health message; None when that is a fault."""
    return next((words for sentence, words in EXPLANATIONS.items() if f"response: '{sentence}" in detail), None)


def is_expected(detail: str) -> bool:
    return explanation(detail) is not None
