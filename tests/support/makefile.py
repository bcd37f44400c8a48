"""The targets of the Makefile: each is one line of help and one of recipe."""

import re
from dataclasses import dataclass

from tests.support.paths import ROOT

TEXT = (ROOT / "Makefile").read_text()
_TARGET = re.compile(r"^(?P<name>[a-z-]+): ## (?P<help>.+)\n\t(?P<recipe>.+)\n", re.M)


@dataclass(frozen=True)
class Target:
    """`recipe` with `$(ARGS)` at its end, but for `help`."""

    name: str
    help: str
    recipe: str

    @property
    def program(self) -> str:
        return self.recipe.split()[0]

    @property
    def command(self) -> str:
        """What is run when nothing is handed on."""
        return self.recipe.removesuffix(" $(ARGS)")


def targets() -> dict[str, Target]:
    """By name, in the order of the file."""
    return {match["name"]: Target(**match.groupdict()) for match in _TARGET.finditer(TEXT)}
