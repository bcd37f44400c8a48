"""Teach a GoCD server about MLflow and our pipelines. What exists is left alone, and nothing is ever removed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from services.contract.errors import Refused
from services.contract.record import Record
from services.gocd.asking import until_taken
from services.gocd.client import GoCD, Json
from services.gocd.definitions import CONFIG_REPO, PACKAGE, REPOSITORY, Definition, identity, model_of

Outcome = Literal["unchanged", "created", "would create", "differs", "updated", "would update", "refused", "left over"]
_NO_MODEL = (
    "no model has its name: where one was removed or renamed, take its pipelines out of the config repo,"
    " then delete the package in GoCD"
)


class Step(Record):
    """What became of one definition; `differences` are those that were found, whoever they are left to."""

    kind: str
    id: str
    outcome: Outcome
    differences: tuple[str, ...] = ()

    def __str__(self) -> str:
        line = f"{self.outcome}: {self.kind} '{self.id}'"
        return f"{line} ({'; '.join(self.differences)})" if self.differences else line


class SetUp(Record):
    """`token` is the file that holds the access token, where one was asked for."""

    gocd: str
    dry_run: bool
    steps: tuple[Step, ...]


def set_up(
    gocd: GoCD,
    wanted: Sequence[Definition],
    say: Callable[[str], None],
    dry_run: bool = False,
    update: bool = False,
) -> Iterator[Step]:
    """Defines in order what is missing. What GoCD refuses leaves the rest to be done.

    Raises Refused when GoCD cannot be asked, or refuses the repository, without which there are no packages.
    """
    known = _known(gocd, {definition.kind for definition in wanted})
    for definition in wanted:
        step = _defined(gocd, definition, known.get((definition.kind, definition.id)), dry_run, update)
        say(str(step))
        yield step


def left_over(gocd: GoCD, models: Iterable[str], say: Callable[[str], None]) -> Iterator[Step]:
    """Packages of our repository that wait for promotions or previews of no model; they are named and left alone."""
    known = {None, *models}
    for package in gocd.packages():
        if model_of(package) not in known:
            step = Step(kind=PACKAGE, id=package["id"], outcome="left over", differences=(_NO_MODEL,))
            say(str(step))
            yield step


def refuse_unfinished(steps: Iterable[Step]) -> None:
    """Raises Refused when GoCD refused any of them."""
    if refused := [step for step in steps if step.outcome == "refused"]:
        raise Refused(f"expected GoCD to take every definition, found {len(refused)} of them {refused[0]}")


def _defined(gocd: GoCD, wanted: Definition, found: Json | None, dry_run: bool, update: bool) -> Step:
    try:
        return _define(gocd, wanted, found, dry_run, update)
    except Refused as refused:
        if wanted.kind == REPOSITORY:
            raise
        return Step(kind=wanted.kind, id=wanted.id, outcome="refused", differences=(str(refused),))


def _known(gocd: GoCD, kinds: Iterable[str]) -> dict[tuple[str, str], Json]:
    listings = {REPOSITORY: gocd.repositories, PACKAGE: gocd.packages, CONFIG_REPO: gocd.config_repos}
    return {(kind, identity(found)): found for kind in kinds for found in listings[kind]()}


def _define(gocd: GoCD, wanted: Definition, found: Json | None, dry_run: bool, update: bool) -> Step:
    if found is None:
        if not dry_run:
            _create(gocd, wanted)
        return Step(kind=wanted.kind, id=wanted.id, outcome="would create" if dry_run else "created")
    differences = tuple(wanted.differences(found))
    outcome: Outcome = "differs" if differences else "unchanged"
    if differences and update and wanted.is_ours(found):
        outcome = "would update" if dry_run else "updated"
        if not dry_run:
            _replace(gocd, wanted.over(found))
    return Step(kind=wanted.kind, id=wanted.id, outcome=outcome, differences=differences)


def _create(gocd: GoCD, wanted: Definition) -> None:
    gocd.create(wanted.path, wanted.version, wanted.body)
    if wanted.kind == CONFIG_REPO:
        gocd.look_at_config_repo(wanted.id)


def _replace(gocd: GoCD, wanted: Definition) -> None:
    gocd.replace(f"{wanted.path}/{wanted.id}", wanted.version, wanted.body)
    if wanted.kind == CONFIG_REPO:
        # Its pipelines are gone until GoCD has read it as it is now; what is being read may be what it was before.
        until_taken(lambda: gocd.look_at_config_repo(wanted.id))
