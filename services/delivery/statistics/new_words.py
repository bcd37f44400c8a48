"""How many of a text's words are new, by a vocabulary that neither sample had a part in.

The words of half of the hold-out are the vocabulary. The other half and a window's texts are both new to it, so if
nothing has changed they are of one kind, however large the vocabulary is and however rare some words are.
"""

import re
from collections.abc import Iterable, Sequence

import numpy

# A run of letters; in scripts that put no spaces between words, each letter.
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_]+")


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def halves(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The same ones each time."""
    order = numpy.random.default_rng(0).permutation(len(texts)).tolist()
    middle = len(texts) // 2
    return [texts[place] for place in order[:middle]], [texts[place] for place in order[middle:]]


def vocabulary(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in words_of(text))


def new_shares(texts: Iterable[str], known: frozenset[str]) -> list[float]:
    """Of the words of each text that has any."""
    told = (words for text in texts if (words := words_of(text)))
    return [sum(word not in known for word in words) / len(words) for words in told]
