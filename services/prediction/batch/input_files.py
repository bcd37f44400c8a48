"""The files of an input: one, or those of a folder, all of one format and with the same columns."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow

from services.contract.digest import file_sha256
from services.contract.errors import Refused, reason
from services.contract.receipt import InputFile
from services.prediction.batch.failure import NoInput, WrongInput
from services.prediction.batch.formats import SUFFIXES, Format, find_format

# Marks that Spark, Hadoop and editors leave beside the data.
_HIDDEN = (".", "_")


@dataclass(frozen=True)
class InputFiles:
    root: Path
    paths: tuple[Path, ...]
    format: Format

    def schema(self, check: Callable[[pyarrow.Schema], None]) -> pyarrow.Schema:
        """Raises WrongInput for files that cannot be read, that `check` refuses, and whose columns differ."""
        first, *others = self.paths
        schema = self._checked(first, check)
        for other in others:
            found = self._checked(other, check)
            if not (self.format.every_row_names_its_columns or found.equals(schema)):
                raise WrongInput(
                    f"{other}: expected the columns of {first.name}, {_told(schema)}, found {_told(found)}"
                )
        return schema

    def _checked(self, path: Path, check: Callable[[pyarrow.Schema], None]) -> pyarrow.Schema:
        try:
            with _reading(path):
                schema = self.format.schema(path)
            check(schema)
        except WrongInput:
            raise
        except Refused as refused:
            raise WrongInput(f"{path}: {refused}") from refused
        return schema

    def entry(self, path: Path) -> InputFile:
        """Raises WrongInput for a file that cannot be read."""
        name = path.name if path == self.root else path.relative_to(self.root).as_posix()
        with _reading(path):
            return InputFile(path=name, bytes=path.stat().st_size, sha256=file_sha256(path))


def find_input(root: Path, format_name: str | None) -> InputFiles:
    """Raises NoInput where there is nothing, and WrongInput for files that are empty, of no known format or of two."""
    with _reading(root):
        paths = _listed(root)
        for path in paths:
            if not path.is_file():
                raise WrongInput(f"{path}: expected plain files, found something else")
            if not path.stat().st_size:
                raise WrongInput(f"{path}: expected a file with rows, found an empty one")
    return InputFiles(root, paths, find_format(format_name or _format_of(paths)))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WrongInput(f"{path}: expected files that can be read, found: {reason(error)}") from error


def _listed(root: Path) -> tuple[Path, ...]:
    if not root.exists():
        raise NoInput(f"{root}: expected a file of rows or a folder of such files, found nothing")
    if not root.is_dir():
        return (root,)
    visible = [path for path in sorted(root.rglob("*")) if not _is_hidden(path.relative_to(root))]
    if not (paths := tuple(path for path in visible if not path.is_dir())):
        raise NoInput(f"{root}: expected a folder with files of rows, found no file")
    return paths


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(_HIDDEN) for part in path.parts)


def _format_of(paths: Sequence[Path]) -> str:
    found = {path.suffix.lower(): path for path in paths}
    if unknown := [path for suffix, path in found.items() if suffix not in SUFFIXES]:
        raise WrongInput(f"{unknown[0]}: expected a name that ends in {', '.join(SUFFIXES)}: name the --format")
    formats = {SUFFIXES[suffix] for suffix in found}
    if len(formats) > 1:
        raise WrongInput(f"expected files of one format, found {' and '.join(sorted(formats))}: score them apart")
    return formats.pop()


def _told(schema: pyarrow.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
