"""What a person sees of a delivery in MLflow: short tags, a note and the reports on the run and its model version.

The tags are the memory: the note is written anew from them, between its two marks, beside whatever else it holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.comparison import Comparison
from services.contract.deployment import Deployment, Retirement
from services.contract.errors import Refused
from services.contract.receipt import Receipt
from services.contract.release import Release
from services.contract.validation import Validation
from services.contract.verdict import switched_off
from services.delivery.clients.model_versions import ModelVersion
from services.delivery.clients.registry import Registry
from services.delivery.clients.rollout_client import Rollout
from services.delivery.clients.run import Run
from services.delivery.output import say
from services.delivery.reports.in_short import in_short
from services.delivery.reports.links import links
from services.delivery.reports.places import reports_folder, result_tags
from services.delivery.settings import Settings

BEGIN, END = "<!-- trackback: begin -->", "<!-- trackback: end -->"
_ROWS = {
    names.VALIDATION_TAG: "validate",
    names.COMPARISON_TAG: "compare",
    names.RELEASE_TAG: "release",
    names.ROLLOUT_TAG: "rollout",
    names.LIVE_TAG: "live",
    names.PIPELINE_TAG: "pipeline",
    names.BATCH_TAG: "batch",
    **{tag: f"{stage} accepted" for stage, tag in names.ACCEPTED_TAGS.items()},
    names.PREVIEWED_TAG: "preview",
    names.REHEARSED_TAG: "rehearsal",
}
_LONGEST = 250
SECONDS = 5.0  # for each question, which is asked once: no stage waits for its page
# The plugin reads every promoted run with its note at every poll, and the tags have it all.
_LONGEST_CELL = 80
_TIME, _ISO = "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%SZ"


def tell_verdict(
    settings: Settings, candidate: Candidate, verdict: Validation | Comparison, reports: Mapping[str, bytes]
) -> None:
    """On the page of the candidate's run. Never raises: what a gate says does not depend on it."""
    said = result_tags(candidate, verdict.stage, f"{verdict.verdict}{_because(verdict)}")
    measured = verdict.metrics if isinstance(verdict, Validation) else {}
    _update(settings, candidate, said, reports, {names.HOLDOUT_METRICS + name: one for name, one in measured.items()})


def tell_release(settings: Settings, release: Release) -> None:
    """Never raises."""
    candidate = release.manifest.candidate
    result = release.digest[:12] if candidate.promoted else "pass"
    _update(settings, candidate, result_tags(candidate, "package", result), {}, {})


def tell_rollout(settings: Settings, candidate: Candidate, words: str) -> None:
    """How its rollout ended. Never raises."""
    _update(settings, candidate, {names.ROLLOUT_TAG: words[:_LONGEST]}, {}, {})


def tell_batch(settings: Settings, receipt: Receipt) -> None:
    """What a batch scored last, and its receipt. Never raises."""
    told = (
        f"{receipt.revision} {receipt.rows_scored} rows scored, {receipt.rows_rejected} rejected, by {receipt.engine}, "
        f"{receipt.at:%Y-%m-%d %H:%M:%S} UTC"
    )
    path = f"{names.REPORTS_FOLDER}/{receipt.revision}/batch/{receipt.at:%Y%m%dT%H%M%SZ}-receipt.json"
    try:
        with _registry(settings) as registry:
            run = registry.run(receipt.run_id)
            noted(registry, run, {names.BATCH_TAG: told})
            registry.upload_artifact(run, path, receipt.to_json().encode())
    except Refused as error:
        _note(error)


def tell_live(settings: Settings, rollout: Rollout, model: str) -> None:
    """Since when what is live answers, until when the one before did: on runs and model versions. Never raises."""
    try:
        deployments, state = rollout.deployments(model), rollout.state(model)
        with _registry(settings) as registry:
            for run_id in dict.fromkeys(one.run_id for one in reversed(deployments[-2:])):
                period = _period(run_id, deployments, state.retired)
                tags = noted(registry, registry.run(run_id), period.tags)
                for version in registry.versions.of_run(model, run_id)[:1]:
                    # Nobody has described it yet: it is what its run says of itself.
                    described = version.description or _own(tags.get(names.NOTE_TAG, ""))
                    text = note(described, tags)
                    registry.versions.describe(version, {key: tags[key] for key in _ROWS if key in tags}, text)
    except Refused as error:
        _note(error)


def follow_with_alias(settings: Settings, deployment: Deployment) -> None:
    """Moves the alias to the version that answers. Never raises: what answers does not depend on it."""
    try:
        with _registry(settings) as registry:
            version = version_of(registry, deployment)
            registry.versions.set_alias(version, names.CHAMPION_ALIAS)
        say(f"alias '{names.CHAMPION_ALIAS}' of {deployment.model} is version {version.number}")
    except Refused as error:
        say(
            f"note: the alias '{names.CHAMPION_ALIAS}' of {deployment.model} was not moved ({error}): run the stage "
            f"deploy of {deployment.revision} again, which changes nothing else; the next deploy or rollback moves it"
        )


def _registry(settings: Settings) -> Registry:
    return Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization, seconds=SECONDS)


def version_of(registry: Registry, deployment: Deployment) -> ModelVersion:
    known = registry.versions.of_run(deployment.model, deployment.run_id)
    ours = [one for one in known if deployment.model_id is None or one.source.endswith(deployment.model_id)]
    if not ours:
        raise Refused(f"expected a version of {deployment.model} from run {deployment.run_id[:8]}, found none")
    return ours[0]


def _update(
    settings: Settings,
    candidate: Candidate,
    said: dict[str, str],
    reports: Mapping[str, bytes],
    metrics: Mapping[str, float],
) -> None:
    pipeline = links(settings, candidate).get("pipeline") if candidate.promoted else None
    try:
        with _registry(settings) as registry:
            run = registry.run(candidate.promotion.run_id)
            noted(registry, run, said | ({names.PIPELINE_TAG: pipeline} if pipeline else {}))
            if metrics:
                registry.log_metrics(run.info.run_id, candidate.promotion.model_id, metrics)
            for name, content in reports.items():
                registry.upload_artifact(run, f"{reports_folder(candidate)}/{name}", content)
    except Refused as error:
        _note(error)


def noted(registry: Registry, run: Run, said: Mapping[str, str]) -> dict[str, str]:
    """All tags of the run, after `said` and the note were written."""
    tags = {**run.data.tags, **said}
    written = note(tags.get(names.NOTE_TAG, ""), tags)
    registry.set_tags(run.info.run_id, {**said, names.NOTE_TAG: written})
    return tags


def note(text: str, tags: Mapping[str, str]) -> str:
    """The `text` of before with what the tags tell between the marks; what stands around them is a person's own."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    ours = f"{BEGIN}\n{_markdown(tags)}\n{END}"
    return f"{before.rstrip()}\n\n{ours}{after}" if before.strip() else f"{ours}{after}"


def _own(text: str) -> str:
    """What stands before our marks."""
    return text.partition(BEGIN)[0].strip()


def _markdown(tags: Mapping[str, str]) -> str:
    rows = [f"| {title} | {_cell(tags[tag])} |" for tag, title in _ROWS.items() if tag in tags]
    reports = f"Reports of the gates: artifacts, folder `{names.REPORTS_FOLDER}/<revision>/`."
    return "\n".join(["**Delivery**", "", "| stage | revision and result |", "|---|---|", *rows, "", reports])


def _cell(text: str) -> str:
    if text.startswith(("http://", "https://")):
        return f"[{'/'.join(text.rsplit('/', 2)[-2:])}]({text})"
    short = text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
    return escape(short, quote=False).replace("|", "\\|")


def _because(verdict: Validation | Comparison) -> str:
    """A person's part first: of a long text the end is cut."""
    said = [str(verdict.accepted)] if verdict.accepted else []
    said += [switched_off(verdict.checks), _found(verdict)]
    because = "; ".join(one for one in said if one)
    return f": {because}"[:_LONGEST] if because else ""


def _found(verdict: Validation | Comparison) -> str:
    if isinstance(verdict, Comparison):
        return verdict.summary
    return in_short(verdict)


@dataclass(frozen=True)
class _Period:
    """When a release answered; `until` is None while it does."""

    revision: str
    since: datetime
    until: datetime | None

    @property
    def tags(self) -> dict[str, str]:
        """For people, and as MLflow can search for them: empty while it answers, as a tag cannot be taken away."""
        until = f" until {self.until:{_TIME}}" if self.until else ""
        return {
            names.LIVE_TAG: f"{self.revision} since {self.since:{_TIME}}{until}",
            names.LIVE_SINCE_TAG: f"{self.since:{_ISO}}",
            names.LIVE_UNTIL_TAG: f"{self.until:{_ISO}}" if self.until else "",
        }


def _period(run_id: str, deployments: Sequence[Deployment], retired: Retirement | None) -> _Period:
    """The last time that a release of this run answered."""
    last = max(place for place, one in enumerate(deployments) if one.run_id == run_id)
    one, ends = deployments[last], [after.at for after in deployments[last + 1 : last + 2]]
    ends += [retired.at] if retired else []
    return _Period(one.revision, one.at, ends[0] if ends else None)


def _note(error: Exception) -> None:
    say(f"note: the run's page in MLflow does not tell of this yet ({error})")
