"""A complaint about one place in a nested document, for checks that see more than one field."""

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def problem_at(place: tuple[str | int, ...], message: str) -> ValidationError:
    """Raised inside a pydantic validator, it keeps `place` below the validator's own."""
    error = PydanticCustomError("refused", "{message}", {"message": message})
    return ValidationError.from_exception_data("pipelines", [InitErrorDetails(type=error, loc=place, input=None)])
