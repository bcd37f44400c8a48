"""Where serving processes put what they show of themselves: folders a model below the state of the rollout service."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from services.contract.errors import Refused
from services.contract.prediction_log import PATTERN, whole_lines
from services.contract.serving_settings import ACCESS_FOLDER, PREDICTIONS

# No model can have such a name, so these folders stand beside theirs.
PREDICTIONS_FOLDER, ACCESS_LOGS_FOLDER = "_predictions", "_access"


class Shown:
    """`passed` are the variables that every serving process gets, whatever they say."""

    def __init__(self, state: Path, passed: Mapping[str, str]) -> None:
        self._state = state
        self._passed = passed

    def variables(self, model: str) -> dict[str, str]:
        ours = {PREDICTIONS: PREDICTIONS_FOLDER, ACCESS_FOLDER: ACCESS_LOGS_FOLDER}
        return {**{name: str(self._state / folder / model) for name, folder in ours.items()}, **self._passed}

    def logged(self, model: str) -> Iterator[bytes]:
        """Raises Refused when a file cannot be read; one that was removed meanwhile has no lines."""
        for path in sorted((self._state / PREDICTIONS_FOLDER / model).glob(PATTERN)):
            try:
                with path.open("rb") as file:
                    yield from whole_lines(file)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Refused(f"{path}: expected a prediction log, cannot read it: {error.strerror}") from error
