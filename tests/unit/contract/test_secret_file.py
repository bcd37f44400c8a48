"""A secret is the line of a file that only its owner may read, and never half a line."""

import os
import stat
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.secret_file import read_secret, write_secret, write_token

SECRET = "correct horse battery staple"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_the_files_line(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(Refused, match="cannot read it: .*No such file"):
        read_secret(file, "the token of the rollout service")
    file.write_text(" \n")
    with pytest.raises(Refused, match="found an empty file"):
        read_secret(file, "the token of the rollout service")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Refused, match="found something else than text$"):
        read_secret(file, "the token of the rollout service")
    file.write_text(f"{SECRET}\n")
    assert read_secret(file, "the token of the rollout service") == SECRET


def test_a_secret_that_is_written_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_secret(tmp_path / "secret", SECRET)
        write_secret(tmp_path / "read-only", SECRET, mode=0o400)
    finally:
        os.umask(before)
    assert [mode_of(tmp_path / name) for name in ("secret", "read-only")] == [0o600, 0o400]


def test_a_secret_takes_the_place_of_one_that_others_could_read(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("an old one")
    file.chmod(0o644)
    write_secret(file, SECRET)
    assert (file.read_text(), mode_of(file)) == (SECRET, 0o600)


def test_a_secret_that_cannot_be_given_to_its_owner_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(PermissionError):
        write_secret(tmp_path / "secret", SECRET, owner=999)
    assert list(tmp_path.iterdir()) == []


def test_a_token_is_a_new_one_each_time_and_a_line(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        write_token(tmp_path / "token")
        found.append((tmp_path / "token").read_text())
    assert found[0] != found[1]
    assert [len(text.removesuffix("\n")) for text in found] == [48, 48]
