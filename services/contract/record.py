"""Frozen records and their canonical JSON: the only shape in which data crosses a boundary."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from services.contract import names
from services.contract.errors import Refused

# The files of `write_atomically` until they are whole.
HALF_WRITTEN = ".*.*"


def _exactly(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=f"^{pattern}$")


RunId = Annotated[str, _exactly(names.RUN_ID.pattern)]
ModelId = Annotated[str, _exactly(names.MODEL_ID.pattern)]
ModelName = Annotated[str, _exactly(names.MODEL_NAME.pattern), StringConstraints(max_length=60)]
Sha256 = Annotated[str, _exactly(names.SHA256.pattern)]
Revision = Annotated[str, _exactly(names.REVISION.pattern)]
# What a person wrote, which is written to files and logs: a half of a surrogate pair is no text that UTF-8 has.
Words = Annotated[str, AfterValidator(lambda text: text.encode(errors="replace").decode())]
# A value of a row: a moment is its ISO text.
Cell = bool | int | float | str | None


class Record(BaseModel):
    """Immutable; unknown fields are refused, so that a misspelt one is never silently dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def to_json(self) -> str:
        """Sorted keys and a closing newline: equal records have equal bytes."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "record") -> Self:
        """Raises Refused, naming `where` and the first field that is wrong."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise Refused(f"{where} is not a {cls.__name__}: {first_problem(error)}") from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises Refused when the file is missing or is not this record."""
        try:
            return cls.from_json(path.read_bytes(), str(path))
        except OSError as error:
            raise Refused(f"{path}: expected a {cls.__name__}, cannot read it: {error.strerror}") from error

    def write(self, path: Path) -> None:
        write_atomically(path, self.to_json().encode())


def first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or "(whole)"
    return f"{field}: {problem['msg']}"


def write_atomically(path: Path, content: bytes, mode: int = 0o600, owner: int | None = None) -> None:
    """A reader sees the old file or the new one, also across a power cut; `owner` is a user's and group's number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            if owner is not None:
                os.fchown(descriptor, owner, owner)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def from_environment(environment: Mapping[str, str], prefix: str) -> dict[str, Any]:
    """The variables that start with `prefix`, without it and in lower case."""
    return {key[len(prefix) :].lower(): value for key, value in environment.items() if key.startswith(prefix)}
