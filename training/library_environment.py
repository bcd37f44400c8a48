"""Runs the command again where a model is trained: in its own environment, or in that of its library."""

import os
import sys
from pathlib import Path

from services.contract import names
from services.contract.environments import python_of, python_of_lock
from services.contract.errors import Refused
from training.own_lock import declared, write_lock


def enter(library: str, environments: Path) -> None:
    """Replaces this process by the same command in `<environments>/<library>`, if that exists and is not this one."""
    if python := python_of(library, environments):
        _go_on(python)


def enter_own(library: str, folder: Path, environments: Path) -> None:
    """Replaces this process by the same command in the environment of the model in `folder`, if it has one of its own.

    Its requirements are locked first. Raises Refused when they cannot be, or belong to a library that has them already.
    """
    requirements = declared(folder)
    if (library == names.OWN_ENVIRONMENT) != (requirements is not None):
        raise Refused(_at_odds(library, folder, requirements))
    if requirements:
        _go_on(python_of_lock(write_lock(requirements), environments))


def _at_odds(library: str, folder: Path, requirements: Path | None) -> str:
    if requirements is None:
        return (
            f"expected {folder / 'requirements.in'} with the packages of a model of {library}, found none: "
            "write one, if need be an empty one"
        )
    return (
        f"{requirements}: expected none for a model of {library}, whose packages are in requirements/, found one: "
        f"remove it, or declare library: {names.OWN_ENVIRONMENT} in model.yaml"
    )


def _go_on(python: Path) -> None:
    if Path(sys.prefix).resolve() != python.parents[1].resolve():
        os.execv(python, [str(python), "-P", "-m", "training", *sys.argv[1:]])  # noqa: S606  our own command, no shell
