"""The rows of language-id: which strings of a message catalog are a text in a language, and which are not."""

import importlib.util
import struct
from pathlib import Path
from types import ModuleType

import pandas
import pytest

from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from tests.support.paths import MODELS
from training.dataset import split
from training.sources import package_files

FOLDER = MODELS / "language-id"
CONFIG = load_model_config(MODELS, "language-id")
HEADER = {"": "Project-Id-Version: made up\nContent-Type: text/plain; charset=UTF-8\n"}


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """With a bar that three texts can take."""
    loaded = module("data")
    monkeypatch.setattr(loaded, "FEWEST_TEXTS", 1)
    return loaded


def catalog(folder: Path, locale: str, messages: dict[str, str], order: str = "<") -> Path:
    """A compiled catalog as msgfmt writes it: a table of sources, one of translations, then the strings."""
    texts = [text.encode() for text in [*sorted(messages), *(messages[source] for source in sorted(messages))]]
    count, strings, places = len(messages), b"", []
    for text in texts:
        places.append((len(text), 28 + 16 * count + len(strings)))
        strings += text + b"\0"
    head = struct.pack(f"{order}7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0)
    tables = b"".join(struct.pack(f"{order}2I", *place) for place in places)
    file = folder / locale / "LC_MESSAGES" / "app.mo"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(head + tables + strings)
    return file


def pairs(frame: pandas.DataFrame) -> set[tuple[str, str]]:
    return set(zip(frame["label"], frame["text"], strict=True))


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"), ("es_MX", "es"), ("pt_BR", "pt"), ("ca@valencia", "ca"), ("sr_Latn", "sr_Latn"), ("sr", "sr"),
        ("sr@latin", "sr_Latn"), ("zh_Hant", "zh_Hant"), ("zh_CN", "zh_Hans"), ("zh_TW.Big5", "zh_Hant"),
    ],
)  # fmt: skip
def test_a_region_is_merged_into_its_language_and_a_script_stays(data: ModuleType, locale: str, language: str) -> None:
    assert data.language_of(locale) == language


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("%(count)d von %s, %.1f %r %%", "von , %%"),
        ("%(名前)s を削除", "を削除"),
        ("%sは%(name)s", "は"),
        ("Hello {name}, {0} of ${total}", "Hello , of"),
        ('See <A HREF="/help">the help</A>.<br/>', "See the help ."),
        ("read :ref:`usage <x>` and :py:class:`a.B`, or ``make``", "read and , or"),
        ("a&nbsp;b &#8217; c\n\td", "a b c d"),
        ("1 < 2 and 3 > 2, 50 % of it", "1 < 2 and 3 > 2, 50 % of it"),
    ],
)
def test_placeholders_and_markup_are_no_words_of_a_language(data: ModuleType, text: str, cleaned: str) -> None:
    assert data.clean(text) == cleaned


def test_messages_are_english_and_their_translations_are_of_the_catalog(data: ModuleType, tmp_path: Path) -> None:
    files = [
        catalog(tmp_path, "de", {**HEADER, "Please choose a file.": "Bitte eine Datei wählen."}),
        catalog(tmp_path, "es_MX", {**HEADER, "Please choose a file.": "Elija un archivo."}),
    ]
    frame = data.load(files)
    assert pairs(frame) == {
        ("de", "Bitte eine Datei wählen."), ("en", "Please choose a file."), ("es", "Elija un archivo.")
    }  # fmt: skip
    assert set(frame["message"]) == {"Please choose a file."}


def test_each_plural_form_is_a_text_of_the_same_message_and_a_context_is_no_part_of_it(
    data: ModuleType, tmp_path: Path
) -> None:
    source = "calendar\4%d day has gone by\0%d days have gone by"
    frame = data.load([catalog(tmp_path, "cs", {source: "%d den uplynul\0%d dny uplynuly\0%d dnů uplynulo"})])
    assert pairs(frame) == {
        ("en", "day has gone by"),
        ("en", "days have gone by"),
        ("cs", "den uplynul"),
        ("cs", "dny uplynuly"),
        ("cs", "dnů uplynulo"),
    } - {("cs", "den uplynul")}  # fmt: skip - eleven characters
    assert set(frame["message"]) == {"%d day has gone by"}


def test_a_string_that_nobody_translated_is_no_text_of_another_language(data: ModuleType, tmp_path: Path) -> None:
    german = catalog(tmp_path, "de", {"Please choose a file.": "Please  choose %s a file.", "Second message": ""})
    assert pairs(data.load([german])) == {("en", "Please choose a file."), ("en", "Second message")}


def test_texts_under_twelve_characters_are_left_out_after_they_were_cleaned(data: ModuleType, tmp_path: Path) -> None:
    files = [catalog(tmp_path, "fr", {"Choose %(name)s": "douze lettre", "Or {this} one": "onze lettre %s"})]
    assert pairs(data.load(files)) == {("fr", "douze lettre")}


def test_a_text_is_there_once_a_language_whichever_catalogs_hold_it_in_whatever_order(
    data: ModuleType, tmp_path: Path
) -> None:
    spanish = {"Please choose a file.": "Elija un archivo.", "Choose another": "Elija otro ahora"}
    files = [
        catalog(tmp_path / "a", "es", spanish),
        catalog(tmp_path / "b", "es_MX", {"A file, please: choose.": "Elija un archivo."}),
        catalog(tmp_path / "c", "gl", {"Please choose a file.": "Elija un archivo."}),
    ]
    frame = data.load(files)
    once = frame[frame["text"] == "Elija un archivo."]
    assert once[["label", "message"]].to_numpy().tolist() == [
        ["es", "A file, please: choose."], ["gl", "Please choose a file."]
    ]  # fmt: skip
    assert frame.equals(data.load(files[::-1]))


def test_a_language_with_fewer_than_three_hundred_texts_is_left_out(tmp_path: Path) -> None:
    messages = {f"English message {number}": f"Deutsche Nachricht {number}" for number in range(300)}
    fewer = dict(list(messages.items())[1:])
    files = [catalog(tmp_path, "de", messages), catalog(tmp_path, "da", fewer)]
    assert module("data").load(files)["label"].value_counts().to_dict() == {"de": 300, "en": 300}


@pytest.mark.parametrize("order", ["<", ">"])
def test_catalogs_of_both_byte_orders_are_read(data: ModuleType, tmp_path: Path, order: str) -> None:
    file = catalog(tmp_path, "ru", {**HEADER, "b\0bs": "один\0два", "a": "три"}, order)
    assert list(data.read_catalog(file)) == [(("a",), ("три",)), (("b", "bs"), ("один", "два"))]


def test_a_file_that_is_no_catalog_is_refused_by_its_name(data: ModuleType, tmp_path: Path) -> None:
    file = catalog(tmp_path, "de", {"Thank you very much": "Danke für alles"})
    file.write_bytes(b"msgid" + file.read_bytes())
    assert refused(data, file) == "expected a compiled message catalog, found another file"


def test_a_catalog_that_was_cut_or_is_not_in_utf_8_is_refused(data: ModuleType, tmp_path: Path) -> None:
    file = catalog(tmp_path, "de", {"Thank you very much": "Danke für alles"})
    whole = file.read_bytes()
    for damaged in (whole[:20], whole[:40], whole[:-2], whole.replace("ü".encode(), b"\xfc\xfc")):
        file.write_bytes(damaged)
        assert refused(data, file) == "expected a whole message catalog, found it damaged"


def refused(data: ModuleType, file: Path) -> str:
    """What is said of the file, without its name and the advice."""
    with pytest.raises(Refused) as error:
        data.load([file])
    said = str(error.value)
    assert said.endswith(": install its package again")
    return said.removeprefix(f"{file}: ").removesuffix(": install its package again")


@pytest.fixture(scope="module")
def rows() -> pandas.DataFrame:
    """The real ones."""
    frame = module("data").load(list(package_files(CONFIG.data.packages).values()))
    assert isinstance(frame, pandas.DataFrame)
    return frame


@pytest.mark.thorough
def test_the_packages_give_tens_of_thousands_of_texts_in_scores_of_languages(rows: pandas.DataFrame) -> None:
    assert len(rows) > 40_000
    labels = rows["label"].value_counts()
    assert len(labels) > 60
    assert labels.min() >= 300
    assert {"en", "es", "sr", "sr_Latn", "zh_Hans", "zh_Hant"} <= set(labels.index)
    assert not rows["text"].str.contains(r"%\(|%s|</a>|:ref:").any()


@pytest.mark.thorough
def test_translations_of_one_message_never_fall_on_both_sides(rows: pandas.DataFrame) -> None:
    dataset = split(rows, CONFIG.data, CONFIG.task, "catalogs")
    training, holdout = (set(rows["message"][part.inputs.index]) for part in (dataset.training, dataset.holdout))
    assert training
    assert holdout
    assert not training & holdout
    assert list(dataset.training.inputs.columns) == ["text"]


@pytest.mark.thorough
def test_the_pinned_hold_out_is_what_the_packages_give(rows: pandas.DataFrame) -> None:
    assert split(rows, CONFIG.data, CONFIG.task, "").holdout.digest.sha256 == CONFIG.data.holdout_sha256


def test_both_variants_are_plans_of_a_small_model() -> None:
    plans = {name: module("train").build(**variant) for name, variant in CONFIG.variants.items()}
    small = {"bucket": 50_000, "minCount": 2}
    assert plans == {
        "quick": {"epoch": 5, "dim": 16, "minn": 2, "maxn": 4, "lr": 0.5, **small},
        "thorough": {"epoch": 50, "dim": 64, "minn": 2, "maxn": 5, "wordNgrams": 2, **small},
    }
