"""Validation errors of one place in a nested document, for checks of more than one field."""

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def problem_at(place: tuple[str | int, ...], message: str) -> ValidationError:
    """An error to raise inside of a pydantic validator; its place is `place` below that of the validator."""
    error = PydanticCustomError("refused", "{message}", {"message": message})
    return ValidationError.from_exception_data("pipelines", [InitErrorDetails(type=error, loc=place, input=None)])
