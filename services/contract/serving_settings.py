"""How a serving process is told what to show of itself: variables that the rollout service passes on."""

from collections.abc import Mapping

PREFIX = "TRACKBACK_SERVING_"
PREDICTIONS, ACCESS_FOLDER, FIGURES = f"{PREFIX}PREDICTIONS", f"{PREFIX}ACCESS_FOLDER", f"{PREFIX}FIGURES"
CONTROL = f"{PREFIX}CONTROL"
# Of a process: each has its own, beside its control socket.
FIGURES_ENDING = "figures"
# In a container: a volume of its own for each model, and memory.
PREDICTIONS_VOLUME, FIGURES_IN_MEMORY = "/predictions", "/tmp/figures"  # noqa: S108
# Where it takes commands, from whoever is inside of it: the rollout service alone comes in.
CONTROL_IN_MEMORY = "/tmp/control"  # noqa: S108
# The platform's own, and no setting of what it serves.
_OF_THE_PLATFORM = (f"{PREFIX}PORT",)
# OpenTelemetry's own variables, which its SDK reads.
OTEL = "OTEL_"


def serving_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Those that are meant for a serving process. An empty one says nothing: a compose file has no other way to."""
    meant = {name: value for name, value in environment.items() if name.startswith((PREFIX, OTEL)) and value}
    return {name: value for name, value in meant.items() if name not in _OF_THE_PLATFORM}
