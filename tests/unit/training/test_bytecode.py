"""What MLflow loads while it logs a model leaves nothing compiled in the model's folder."""

import sys
from pathlib import Path

import pytest

from training.bytecode import without_bytecode


def test_code_that_is_loaded_meanwhile_leaves_no_file_and_later_code_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("logged_meanwhile", "loaded_later"):
        (tmp_path / f"{name}.py").write_text("")
    with without_bytecode():
        __import__("logged_meanwhile")
    assert not (tmp_path / "__pycache__").exists()
    __import__("loaded_later")
    assert [file.name.partition(".")[0] for file in (tmp_path / "__pycache__").iterdir()] == ["loaded_later"]
