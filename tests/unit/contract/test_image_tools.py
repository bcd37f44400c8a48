"""Which packages a machine lacks to build a machine image, from what lies in its folders."""

from pathlib import Path

from services.contract.image_tools import IMAGE_FILES, IMAGE_TOOLS, missing_packages


def test_packages_are_missing_until_every_command_and_file_of_theirs_is_there(tmp_path: Path) -> None:
    assert missing_packages(str(tmp_path), tmp_path) == sorted({*IMAGE_TOOLS.values(), *IMAGE_FILES.values()})
    for command in IMAGE_TOOLS:
        (tmp_path / command).touch(mode=0o755)
    assert missing_packages(str(tmp_path), tmp_path) == sorted(IMAGE_FILES.values())
    for file in IMAGE_FILES:
        place = tmp_path / file.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    assert missing_packages(str(tmp_path), tmp_path) == []
    (tmp_path / "mtype").chmod(0o644)
    assert missing_packages(str(tmp_path), tmp_path) == ["mtools"]
