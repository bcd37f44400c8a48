"""trace: from an answer, or a batch of them, back to its run, data, parameters, verdicts, promoter and pipeline."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import DataDigest, Environment, Machine, RunFacts, SourcesDigest
from services.contract.comparison import Comparison
from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.contract.machine_image import ImageContent, MachineImage
from services.contract.outcome import Outcome
from services.contract.promotion import promotion_number
from services.contract.receipt import Receipt
from services.contract.release import Manifest
from services.contract.trace import Trace
from services.contract.validation import Validation
from services.contract.verdict import switched_off
from services.delivery.clients.rollout_client import Rollout
from services.delivery.machine_image.raw_file import RawFile
from services.delivery.output import emit, say
from services.delivery.promotions.gate_words import with_words
from services.delivery.promotions.outcomes import outcomes, read_ledger
from services.delivery.reports.links import links
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.traced_request import find_request, request_rows
from services.gocd.client import GoCD

NOT_RECORDED = "not recorded"
MOST_BATCHES = 5
_TIME = "%Y-%m-%d %H:%M:%S UTC"


def trace(
    model: Annotated[
        str | None, typer.Argument(help="The model that answered, or the raw file of a machine image.")
    ] = None,
    release: Annotated[
        str | None, typer.Option(help=f"Digest (or its start) from the answer's {names.RELEASE_HEADER}; else live.")
    ] = None,
    receipt: Annotated[Path | None, typer.Option(help="receipt.json of a batch, in place of a model.")] = None,
    request: Annotated[str | None, typer.Option(help="X-Request-Id of an answer that a prediction log kept.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Print lines for a person in place of JSON.")] = False,
) -> None:
    """Tell where an answer came from, or the rows of a batch; prints JSON.

    Scored rows name model and release in columns of their own. Example: trackback trace diamond-price --text
    """
    if request and (release or receipt):
        raise Refused(
            "expected --request alone, or with the model that was asked, found --release or --receipt as well"
        )
    settings = Settings()
    found = of_request(settings, model, request) if request else _traced(settings, model, release, receipt)
    if text:
        sys.stdout.write(lines(found))
    else:
        emit(found)


def _traced(settings: Settings, model: str | None, release: str | None, receipt: Path | None) -> Trace:
    """Raises Refused when it is not one thing that is to be traced, or nobody knows of it."""
    if (model is None) is (receipt is None):
        raise Refused("expected a model, or --receipt with a batch's receipt.json: give one of them")
    if receipt:
        return of_receipt(settings, Receipt.read(receipt), receipt)
    asked = str(model)
    return (
        _of_answer(settings, asked, release) if names.MODEL_NAME.fullmatch(asked) else _of_disk(settings, Path(asked))
    )


def _of_answer(settings: Settings, model: str, wanted: str | None) -> Trace:
    rollout = Rollout(settings.rollout_url)
    digest = Store(settings.store).find_release(model, wanted or live_release(rollout, model))
    return of_release(settings, digest, rollout.deployments(model))


def of_request(settings: Settings, model: str | None, request: str) -> Trace:
    """Raises Refused when no prediction log has it."""
    rollout, store = Rollout(settings.rollout_url, token=settings.rollout_access_token), Store(settings.store)
    found = find_request(rollout, store, model, request)
    digest = store.find_release(found.model, found.release)
    return of_release(settings, digest, _deployments(settings, found.model)).model_copy(update={"request": found})


def _of_disk(settings: Settings, file: Path) -> Trace:
    """By the file alone. Raises Refused when a file system in it is not the one of its digest."""
    raw = RawFile(file)
    raw.verify()
    manifest = raw.release.manifest
    found = _assembled(settings, manifest, raw.release.digest, ())
    return found.model_copy(update={"machine_image": raw.content})


def of_receipt(settings: Settings, receipt: Receipt, path: Path) -> Trace:
    """Raises Refused when its release is not in the store, or is not what the receipt says it is."""
    manifest = Manifest.read(Store(settings.store).release(receipt.release) / names.MANIFEST_FILE)
    expected = (manifest.model, manifest.revision, manifest.candidate.run.run_id)
    found = (receipt.model, receipt.revision, receipt.run_id)
    if expected != found:
        words = f"expected {' '.join(expected)} as release {receipt.release[:12]}… has it, found {' '.join(found)}"
        raise Refused(f"{path}: {words}: it was changed")
    return of_release(settings, receipt.release, _deployments(settings, receipt.model))


def _deployments(settings: Settings, model: str) -> list[Deployment]:
    """Batches can be traced without the rollout service, and their release need not have answered online."""
    try:
        return Rollout(settings.rollout_url).deployments(model)
    except Refused as refused:
        say(f"note: when it answered online is not known ({refused})")
        return []


def of_release(settings: Settings, digest: str, deployments: Sequence[Deployment]) -> Trace:
    """`deployments` are all of its model."""
    store = Store(settings.store)
    manifest = Manifest.read(store.release(digest) / names.MANIFEST_FILE)
    ours = tuple(one for one in deployments if one.release == digest)
    found = _assembled(settings, manifest, digest, ours)
    known = {"machine_image": _stored_image(store, digest), "batches": tuple(store.receipts(digest))}
    return found.model_copy(update={"later": later(settings, manifest, deployments), **known})


def _stored_image(store: Store, release: str) -> MachineImage | None:
    file = store.machine_image(release) / names.MACHINE_IMAGE_FILE
    return MachineImage.read(file) if file.is_file() else None


def later(settings: Settings, traced: Deployment | Manifest, deployments: Sequence[Deployment]) -> tuple[Outcome, ...]:
    """An answer can be traced without GoCD, so one that does not tell is no failure."""
    answered = frozenset(one.revision for one in deployments)
    try:
        with GoCD(settings.gocd_url, settings.gocd_access_token) as gocd:
            found = outcomes(read_ledger(gocd, traced.model, answered))
            return tuple(with_words(gocd, one) for one in found if one.number > promotion_number(traced.revision))
    except Refused as refused:
        say(f"note: what became of later promotions is not known ({refused})")
        return ()


def live_release(rollout: Rollout, model: str) -> str:
    live = rollout.state(model).live
    if live is None:
        raise Refused(f"expected a live release of {model}, found none: promote a run first")
    return live.release


def _assembled(settings: Settings, manifest: Manifest, release: str, deployments: tuple[Deployment, ...]) -> Trace:
    candidate = manifest.candidate
    return Trace(
        model=manifest.model,
        revision=manifest.revision,
        release=release,
        deployments=deployments,
        candidate=candidate,
        validation=manifest.validation,
        comparison=manifest.comparison,
        servable=manifest.servable,
        pipeline=candidate.pipeline,
        links=links(settings, candidate),
    )


def lines(trace: Trace) -> str:
    promotion, run = trace.candidate.promotion, trace.candidate.run
    pipeline = f"{trace.pipeline.name} {trace.pipeline.counter}" if trace.pipeline else "by hand"
    rows = {
        **(request_rows(trace.request, _TIME) if trace.request else {}),
        "model": f"{trace.model}, revision {trace.revision}",
        "release": trace.release,
        "answered since": _answered(trace.deployments),
        "pipeline": pipeline,
        "promoted by": f"{promotion.promoted_by}: {promotion.reason or 'no reason given'}",
        "run": f"{run.run_id} ({run.name}) by {run.user}, {run.ended_at:%Y-%m-%d %H:%M:%S} UTC",
        "git commit": _commit(run),
        "libraries": ", ".join(f"{name} {version}" for name, version in sorted((run.libraries or {}).items())),
        "parameters": ", ".join(f"{name}={value}" for name, value in sorted(run.parameters.items())),
        "metrics": ", ".join(f"{name} {value:.6g}" for name, value in sorted(run.metrics.items())),
        "environment": _environment(run.environment),
        "machine": _machine(run.machine),
        "training data": _data(run.training),
        "hold-out": f"{run.holdout.sha256} ({run.holdout.rows} rows)",
        "made from": _sources(run.sources),
        "model files": f"{trace.candidate.digest} ({len(trace.candidate.files)} files)",
        "served as": "; ".join(trace.servable.notes),
        "validation": _judged(trace.validation),
        "comparison": _judged(trace.comparison, trace.comparison.summary),
        **({"machine image": _disk(trace.machine_image)} if trace.machine_image else {}),
        "batches": "; ".join(_batch(one) for one in trace.batches[:MOST_BATCHES]) or "none that the store knows",
        "promoted since": "; ".join(f"{one.revision} {one.told}" for one in trace.later) or "nothing",
        **{f"{name} page": url for name, url in trace.links.items()},
    }
    return "".join(f"{name:15} {value or NOT_RECORDED}\n" for name, value in rows.items())


def _answered(deployments: Sequence[Deployment]) -> str:
    times = (f"{one.at:{_TIME}} ({one.action})" for one in deployments)
    return ", ".join(times) or "never online, as far as is known"


def _batch(receipt: Receipt) -> str:
    rows = f"{receipt.rows_scored:,} of {receipt.rows_in:,} rows by {receipt.engine}"
    return f"{receipt.at:{_TIME}}: {rows}, {receipt.rows_rejected:,} rejected"


def _judged(verdict: Validation | Comparison, summary: str = "") -> str:
    """With what a person said of it, and with the gates that did not count."""
    said = [str(verdict.verdict), str(verdict.accepted or ""), switched_off(verdict.checks), summary]
    return "; ".join(one for one in said if one)


def _disk(found: ImageContent) -> str:
    content = f"container {found.image}, Linux {found.kernel}, {len(found.packages)} Debian packages"
    if isinstance(found, MachineImage):
        return f"{found.file}, {found.bytes / 1e6:.0f} MB, SHA-256 {found.sha256}: {content}"
    digests = f"base {found.base_sha256[:12]}…, release {found.release_sha256[:12]}…"
    return f"{content}, both file systems as their digests say: {digests}"


def _commit(run: RunFacts) -> str:
    if run.git_commit is None:
        return "not in git" if run.environment else ""
    return f"{run.git_commit}{' with uncommitted changes' if run.git_dirty else ''}"


def _environment(found: Environment | None) -> str:
    if found is None:
        return ""
    lock = f"locked by {found.lock}" if found.lock else "as no lock file says"
    return f"{found.sha256} ({found.packages} packages, {lock})"


def _machine(found: Machine | None) -> str:
    return f"{found.processor}, {found.cores} cores, {found.system}, {found.python}" if found else ""


def _data(found: DataDigest | None) -> str:
    return f"{found.sha256} ({found.rows} rows of {found.source})" if found else ""


def _sources(found: SourcesDigest | None) -> str:
    if found is None:
        return ""
    packages = (
        ", ".join(f"{name} {version}" for name, version in sorted(found.packages.items())) or "a file of one's own"
    )
    return f"{found.sha256} ({found.files} files: {packages})"
