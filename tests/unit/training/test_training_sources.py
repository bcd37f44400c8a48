"""The files of installed packages that rows are made from, on made-up packages."""

import hashlib
from pathlib import Path

import pytest

from services.contract.candidate import Sources
from services.contract.digest import FileEntry
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from tests.support.paths import MODELS
from training.rows import load_rows
from training.sources import file_sources, in_short, other_files, other_versions, package_files, package_sources

CONTENT = {"gems/data/b.csv": b"carat\n1\n", "gems/data/a/a.csv": b"carat\n2\n", "gems/code.py": b""}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages with one named gems 1.2."""
    for name, content in CONTENT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    record = tmp_path / "gems-1.2.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: gems\nVersion: 1.2\n")
    (record / "RECORD").write_text("".join(f"{name},,\n" for name in CONTENT))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_files_that_a_pattern_matches_are_listed_by_path_with_their_own_digests(site: Path) -> None:
    found = package_sources({"gems": "gems/data/*.csv"})
    assert found.packages == {"gems": "1.2"}
    assert [file.path for file in found.files] == ["gems/data/a/a.csv", "gems/data/b.csv"]
    assert [file.sha256 for file in found.files] == [
        hashlib.sha256(content).hexdigest() for content in (b"carat\n2\n", b"carat\n1\n")
    ]
    assert [file.size for file in found.files] == [8, 8]
    assert list(package_files({"gems": "gems/data/*.csv"}).values()) == [
        site / "gems/data/a/a.csv", site / "gems/data/b.csv"
    ]  # fmt: skip


@pytest.mark.usefixtures("site")
def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(Refused, match=r"expected files of the package gems like '\*\.zip', found none in version 1\.2"):
        package_sources({"gems": "*.zip"})


def test_a_file_that_its_package_lists_and_that_was_removed_is_refused_when_a_model_is_trained(
    site: Path, tmp_path: Path
) -> None:
    config = load_model_config(MODELS, "diamond-price")
    data = config.data.model_copy(update={"packages": {"gems": "gems/data/*"}})
    (site / "gems/data/b.csv").unlink()
    with pytest.raises(Refused, match="expected gems/data/b.csv, which its package lists, found no such file"):
        load_rows(config.model_copy(update={"data": data}), tmp_path, None)


def test_a_package_that_is_not_installed_is_refused() -> None:
    with pytest.raises(Refused, match="expected the package no-such-gems .*, found it not installed"):
        package_sources({"no-such-gems": "*"})


def test_a_model_without_packages_has_no_source_files() -> None:
    assert package_sources({}) == Sources(packages={}, files=())


def test_a_file_that_is_given_by_hand_goes_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes(b"abc")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert file_sources(file) == Sources(packages={}, files=(FileEntry(path="mine.csv", size=3, sha256=sha256),))
    with pytest.raises(Refused, match="no.csv: expected a file with rows, cannot read it: No such file"):
        file_sources(tmp_path / "no.csv")


def test_the_short_form_counts_the_files_and_digests_their_list(site: Path) -> None:
    found = in_short(package_sources({"gems": "gems/data/b.csv"}))
    line = f"gems/data/b.csv\0{8}\0{hashlib.sha256(b'carat' + bytes([10]) + b'1' + bytes([10])).hexdigest()}\n"
    assert (found.files, found.packages) == (1, {"gems": "1.2"})
    assert found.sha256 == hashlib.sha256(line.encode()).hexdigest()
    (site / "gems/data/b.csv").write_bytes(b"carat\n3\n")
    assert in_short(package_sources({"gems": "gems/data/b.csv"})).sha256 != found.sha256


def test_a_changed_a_missing_and_an_added_file_are_named(site: Path) -> None:
    before = package_sources({"gems": "gems/*"})
    (site / "gems/data/b.csv").write_bytes(b"carat\n3\n")
    (site / "gems/code.py").unlink()
    (site / "gems/new.csv").write_bytes(b"")
    with (site / "gems-1.2.dist-info" / "RECORD").open("a") as record:
        record.write("gems/new.csv,,\n")
    found = other_files(before, package_sources({"gems": "gems/*"}))
    empty = hashlib.sha256(b"").hexdigest()
    was, now = (hashlib.sha256(b"carat\n%d\n" % n).hexdigest() for n in (1, 3))
    assert found == [
        f"file gems/code.py: expected SHA-256 {empty} as the run recorded, found no such file",
        f"file gems/data/b.csv: expected SHA-256 {was} as the run recorded, found SHA-256 {now}",
        f"file gems/new.csv: expected no such file as the run recorded, found SHA-256 {empty}",
    ]


def test_a_package_of_another_version_is_named() -> None:
    before, now = (Sources(packages={"gems": version, "same": "1"}, files=()) for version in ("1.2", "1.3"))
    assert other_versions(before, now) == ["package gems: expected version 1.2 as the run recorded, found 1.3"]
    assert other_versions(before, before) == []


LOADS = (
    "def load(files, read):\n    return read(files[0])",
    "import pandas\ndef load(files):\n    return pandas.read_csv(files[0], dtype={'zip': str})",
    "import pandas\ndef load(files, kind=str):\n    return pandas.read_csv(files[0], dtype={'zip': kind})",
    "import pandas\ndef load(files, *more, **named):\n    return pandas.read_csv(files[0], dtype={'zip': str})",
)


@pytest.mark.parametrize("code", LOADS, ids=["reader", "one argument", "a default", "any arguments"])
def test_a_load_that_wants_a_reader_is_given_one_that_keeps_the_declared_types(
    code: str, site: Path, tmp_path: Path
) -> None:
    (site / "gems/data/a/a.csv").write_text("zip,n,y\n" + "".join(f"0{1000 + n % 2},{n},{n}\n" for n in range(40)))
    (site / "gems/data/b.csv").unlink()
    (site / "gems-1.2.dist-info/RECORD").write_text("gems/data/a/a.csv,,\n")
    config = load_model_config(MODELS, "diamond-price")
    update = {"packages": {"gems": "gems/data/*"}, "columns": {"zip": "string", "n": "double"}, "target": "y"}
    (tmp_path / "data.py").write_text(f"{code}\n")
    rows = load_rows(config.model_copy(update={"data": config.data.model_copy(update=update)}), tmp_path, None)
    assert sorted(rows.dataset.training.inputs["zip"].unique()) == ["01000", "01001"]
