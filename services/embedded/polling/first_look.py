"""What is no fault although GoCD's rules make it a failed poll: a model that nobody trained or promoted yet.

GoCD has no other answer to a first poll that finds nothing than a failure, and its API says so here too; the page tells
it apart by our plugin's sentences.
"""

NOTHING_PROMOTED = "Nothing was promoted yet: give a finished run in MLflow the tag 'promote'."
# Sentence of the plugin, and what a person is told in its place; plugin/README.md has both sentences.
WORDS = {
    "nothing promoted in ": NOTHING_PROMOTED,
    "expected an experiment named ": "Nobody trained this model yet: trackback train logs its first run.",
}


def first_look(detail: str) -> str | None:
    """The words for a person, None for what is a fault."""
    return next((words for sentence, words in WORDS.items() if f"response: '{sentence}" in detail), None)


def is_first_look(detail: str) -> bool:
    return first_look(detail) is not None
