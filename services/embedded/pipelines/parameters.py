"""GoCD's parameters: `#{name}` in a pipeline stands for the pipeline's own parameter of that name."""

import re
from typing import Any

from services.embedded.pipelines.located import problem_at

_REFERENCE = re.compile(r"#\{([^}]*)\}")


def substitute_parameters(raw: Any) -> Any:
    """The pipeline with its parameters filled in. Raises a ValidationError at the place of an unknown one."""
    if not isinstance(raw, dict) or not isinstance(raw.get("parameters", {}), dict):
        return raw
    parameters = raw.get("parameters", {})
    return {
        key: value if key == "parameters" else _filled(value, parameters, (str(key),)) for key, value in raw.items()
    }


def _filled(value: Any, parameters: dict[str, Any], place: tuple[str | int, ...]) -> Any:
    if isinstance(value, dict):
        return {
            key: _filled(inner, parameters, (*place, key if isinstance(key, str) else str(key)))
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_filled(inner, parameters, (*place, index)) for index, inner in enumerate(value)]
    return _text(value, parameters, place) if isinstance(value, str) else value


def _text(text: str, parameters: dict[str, Any], place: tuple[str | int, ...]) -> str:
    for name in _REFERENCE.findall(text):
        if name not in parameters:
            raise problem_at(place, f"unknown parameter '{name}': expected one of {sorted(parameters)}")
    return _REFERENCE.sub(lambda found: str(parameters[found[1]]), text)
