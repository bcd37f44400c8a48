"""The options of a command as one frozen record, because a dozen parameters are no signature."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, get_type_hints

Options = TypeVar("Options")


def takes(record: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Lets typer see the fields of a dataclass as a command's own parameters, and gives the command the record."""

    def decorate(command: Callable[[Options], None]) -> Callable[..., None]:
        @wraps(command)
        def run(**values: Any) -> None:
            command(record(**values))

        # inspect reads it in place of the function's own, and typer asks inspect.
        run.__signature__ = inspect.signature(record)  # type: ignore[attr-defined]
        run.__annotations__ = get_type_hints(record, include_extras=True)
        return run

    return decorate
