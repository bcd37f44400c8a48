"""Secrets are made once, given to their readers alone, and shown to whoever owns the stack."""

import stat
from pathlib import Path

import pytest

from services.secrets.__main__ import main
from services.secrets.secrets import SECRETS, TOKEN_FILE


def values(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_every_reader_gets_the_same_value_and_nobody_else_a_file(tmp_path: Path) -> None:
    assert main(["create", str(tmp_path)]) == 0
    found = values(tmp_path)
    assert sorted(found) == sorted(f"{reader}/{secret.name}" for secret in SECRETS for reader in secret.readers)
    for secret in SECRETS:
        assert len({found[f"{reader}/{secret.name}"] for reader in secret.readers}) == 1
    assert len(set(found.values())) == len(SECRETS)
    assert min(map(len, found.values())) >= 32


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    main(["create", str(tmp_path)])
    before = values(tmp_path)
    main(["create", str(tmp_path)])
    assert values(tmp_path) == before


def test_a_reader_that_was_added_later_gets_the_value_that_is_there(tmp_path: Path) -> None:
    main(["create", str(tmp_path)])
    before = values(tmp_path)
    (tmp_path / "mlflow" / "postgres-password").unlink()
    main(["create", str(tmp_path)])
    assert values(tmp_path) == before


def test_readers_that_have_different_values_of_a_secret_are_told_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["create", str(tmp_path)])
    wrong = tmp_path / "mlflow" / "postgres-password"
    wrong.unlink()
    wrong.write_text("another")
    capsys.readouterr()
    assert main(["create", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("expected one postgres-password, found another with each of: postgres, mlflow: ")
    assert len(said.splitlines()) == 1


def test_a_secret_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    main(["create", str(tmp_path)])
    for path in tmp_path.rglob("*"):
        expected = 0o700 if path.is_dir() else 0o400
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_the_owner_is_shown_what_is_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["create", str(tmp_path)])
    (tmp_path / TOKEN_FILE).write_text("a token\n")
    capsys.readouterr()
    assert main(["show", str(tmp_path)]) == 0
    shown = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert set(shown) == {
        "TRACKBACK_GOCD_PASSWORD", "TRACKBACK_ROLLOUT_TOKEN", "GRAFANA_PASSWORD", "TRACKBACK_GOCD_TOKEN",
    }  # fmt: skip
    assert shown["TRACKBACK_GOCD_TOKEN"] == "a token"
    assert shown["TRACKBACK_ROLLOUT_TOKEN"] == (tmp_path / "rollout" / "rollout-token").read_text()
