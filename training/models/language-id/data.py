"""The message catalogs of Django and Sphinx: one row per message and language."""

import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas

from services.contract.errors import Refused

ENGLISH = "en"
SHORTEST_TEXT = 12
FEWEST_TEXTS = 300
# Regions and modifiers that stand for a script; any other region is merged into its language.
SCRIPTS = {"sr@latin": "sr_Latn", "zh_CN": "zh_Hans", "zh_HK": "zh_Hant", "zh_TW": "zh_Hant"}
NO_LANGUAGE = re.compile(
    r"""
    :[a-z][\w.:+-]*:`[^`]*`                              # :ref:`usage`
    | ``[^`]*``                                          # ``literal``
    | </?[a-z!][^<>]*>                                   # <a href="/">
    | &\#?\w+;                                           # &nbsp;
    | %\([^()]*\)(?:[-#0+]*\d*(?:\.\d+)?[a-z])?          # %(name)s
    | %[-#0+]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]            # %s, %.1f
    | \$?\{[^{}]*\}                                      # {name}, {0}, ${count}
    """,
    re.VERBOSE | re.IGNORECASE,
)
BYTE_ORDERS = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}


def load(files: Sequence[Path]) -> pandas.DataFrame:
    """One row a text: the `label` of its language, and the English `message` that it says.

    The messages themselves are the English texts. A language is left out when it has fewer than 300 texts.
    """
    entries = [(language_of(file.parts[-3]), *entry) for file in files for entry in read_catalog(file)]
    english = {(clean(text), ENGLISH, source[0]) for source in {source for _, source, _ in entries} for text in source}
    # A catalog holds the English text where nobody has translated it.
    untranslated = {text for text, _, _ in english}
    others = {(clean(text), language, source[0]) for language, source, texts in entries for text in texts}
    rows = english | {row for row in others if row[0] not in untranslated}
    frame = pandas.DataFrame(
        sorted(row for row in rows if len(row[0]) >= SHORTEST_TEXT), columns=["text", "label", "message"]
    ).drop_duplicates(["text", "label"])
    return frame[frame.groupby("label")["text"].transform("size") >= FEWEST_TEXTS].reset_index(drop=True)


def language_of(locale: str) -> str:
    """`es_MX` is `es`; a script stays: `sr_Latn`."""
    locale, _, _ = locale.partition(".")
    if locale in SCRIPTS:
        return SCRIPTS[locale]
    language, *rest = re.split("[_@]", locale)
    return "_".join([language, *(part for part in rest if re.fullmatch("[A-Z][a-z]{3}", part))])


def clean(text: str) -> str:
    """The words that a person reads: without placeholders and markup, white space collapsed."""
    return " ".join(NO_LANGUAGE.sub(" ", text).split())


def read_catalog(file: Path) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The English forms and the translated forms (singular and plurals) of each message, without the header.

    Source of the format: GNU gettext manual, "The Format of GNU MO Files". Raises Refused for another file.
    """
    content = file.read_bytes()
    if (order := BYTE_ORDERS.get(content[:4])) is None:
        raise Refused(f"{file}: expected a compiled message catalog, found another file: install its package again")
    try:
        count, sources, translations = struct.unpack_from(f"{order}3I", content, 8)
        for place in range(0, 8 * count, 8):
            source = _string(content, order, sources + place)
            if source:
                forms = _string(content, order, translations + place)
                _, _, without_context = source.rpartition("\4")
                yield tuple(without_context.split("\0")), tuple(forms.split("\0"))
    except (struct.error, UnicodeDecodeError) as error:
        raise Refused(
            f"{file}: expected a whole message catalog, found it damaged: install its package again"
        ) from error


def _string(content: bytes, order: str, place: int) -> str:
    length, start = struct.unpack_from(f"{order}2I", content, place)
    # Raises struct.error, where a slice of a file that was cut would only be shorter.
    (text,) = struct.unpack_from(f"{length}s", content, start)
    return text.decode()
