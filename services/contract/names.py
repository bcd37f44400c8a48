"""Every tag, variable, alias and file name that two components must spell alike."""

import re

PROMOTE_TAG = "promote"
REASON_TAG = "promote.reason"
OUTCOME_TAG = "trackback.outcome"
REASON_FOR_TAG = "promote.reason.for"
# What answers, what did before, and what is packaged and may answer next.
CHAMPION_ALIAS = "champion"
PREVIOUS_ALIAS = "previous"
CANDIDATE_ALIAS = "candidate"

GIT_COMMIT_TAG = "mlflow.source.git.commit"
GIT_DIRTY_TAG = "trackback.git.dirty"
# The SHA-256 of the artifact. Of runs that were logged without one, the tags below hold its parts as JSON; beside it
# they are short texts for people, and those of schema and sources are left out.
PROVENANCE_TAG = "trackback.provenance"
PROVENANCE_ARTIFACT = "provenance.json"
TRAINING_DATA_TAG = "trackback.data.training"
HOLDOUT_TAG = "trackback.data.holdout"
MODEL_DIGEST_TAG = "trackback.model"
LIBRARIES_TAG = "trackback.libraries"
SCHEMA_TAG = "trackback.data.schema"
SOURCES_TAG = "trackback.data.sources"
ENVIRONMENT_TAG = "trackback.environment"
MACHINE_TAG = "trackback.machine"
REPRODUCES_TAG = "trackback.reproduces"
ADOPTED_TAG = "trackback.adopted"
PREDICTIONS_TAG = "trackback.predictions"
VALIDATION_TAG = "trackback.validation"
COMPARISON_TAG = "trackback.comparison"
RELEASE_TAG = "trackback.release"
LIVE_TAG = "trackback.live"
LIVE_SINCE_TAG = "trackback.live.since"
LIVE_UNTIL_TAG = "trackback.live.until"
# How its rollout ended: in the words of the analysis, or of whoever ended it.
ROLLOUT_TAG = "trackback.rollout"
PIPELINE_TAG = "trackback.pipeline"
BATCH_TAG = "trackback.batch"
# Of a run that is looked at without being promoted: asked for by the first, told by the other two.
PREVIEW_TAG = "preview"
PREVIEWED_TAG = "trackback.preview"
REHEARSED_TAG = "trackback.rehearsal"
# By the stage whose inconclusive verdict a person has accepted.
ACCEPTED_TAGS = {"validate": "trackback.accepted.validate", "compare": "trackback.accepted.compare"}
NOTE_TAG = "mlflow.note.content"
# Of an experiment, with the first digits of a hold-out's digest behind it.
HOLDOUT_DECISIONS_TAG = "trackback.holdout."
REPORTS_FOLDER = "trackback"
HOLDOUT_ARTIFACT = "data/holdout.csv"
SOURCES_ARTIFACT = "data/sources.json"
ROW_HASHES_ARTIFACT = "data/training_rows.npy"
ENVIRONMENT_FOLDER = "environment"
CODE_FOLDER = "code"
CHANGED_FOLDER = "code/changed"
SESSION_FOLDER = "code/session"
SECONDS_METRIC = "training_seconds"
MEMORY_METRIC = "peak_memory_bytes"
# MLflow's own: what the machine was doing meanwhile.
SYSTEM_METRICS = "system/"
# What validate measured, as a group of its own on the run's page.
HOLDOUT_METRICS = "holdout/"
LEARNING_CURVE = "learning_curve."
LOGGED_MODEL_NAME = "model"
# A model folder of MLflow that holds this file brings its own environment. Whatever flavor logged it, the library that
# asks it there is this one.
LOCK_FILE = "requirements.lock"
OWN_ENVIRONMENT = "pyfunc"

PACKAGE_MATERIAL = "model"
PACKAGE_PREFIX = "GO_PACKAGE_MODEL_"
# Behind the name of a model: its pipeline and its package of previews.
PREVIEW = "-preview"
# Behind the name of a model: its pipeline of machine images.
BATCH = "-batch"
PLUGIN_ID = "trackback.mlflow"
REPOSITORY_ID = "mlflow"
DEPLOY_STAGE = "deploy"
WATCH_STAGE = "watch"

CANDIDATE_FILE = "candidate.json"
VALIDATION_FILE = "validation.json"
VALIDATION_PAGE = "validation.html"
COMPARISON_FILE = "comparison.json"
COMPARISON_PAGE = "comparison.html"
RECEIPT_PAGE = "receipt.html"
MONITORING_FILE = "monitoring.json"
MONITORING_PAGE = "monitoring.html"
RELEASE_FILE = "release.json"
RECEIPT_FILE = "receipt.json"
DEPLOYMENT_FILE = "deployment.json"
WATCH_FILE = "watch.json"
WATCH_PAGE = "watch.html"
MACHINE_IMAGE_FILE = "image.json"
SBOM_FILE = "sbom.json"
PUBLISHED_FILE = "published.json"
MANIFEST_FILE = "manifest.json"
GOLDEN_FILE = "golden.json"
MODEL_FOLDER = "model"
SERVABLE_FOLDER = "servable"
ONNX_FILE = "model.onnx"
# Folders of the store that the delivery writes and the rollout service reads.
RELEASES_FOLDER = "releases"
IMAGES_FOLDER = "images"
MACHINE_IMAGES_FOLDER = "machine-images"
RECEIPTS_FOLDER = "receipts"
# Of the rollout service's state: a journal in each model's folder, and beside these folders, where no model's name can
# be, a checkpoint of each journal and the key that signs them.
JOURNAL_FILE = "journal.jsonl"
LEDGER_FOLDER = "_ledger"
LEDGER_KEY = "key"

# Outputs of a graph: one number, or a label with its probability and the probabilities of all classes.
GRAPH_PREDICTION = "prediction"
GRAPH_LABEL = "label"
GRAPH_PROBABILITY = "probability"
GRAPH_PROBABILITIES = "probabilities"

RELEASE_FOLDER = "/release"
SERVING_PORT = 8000
IMAGES = "trackback"
MODEL_LABEL = "trackback.model"
REVISION_LABEL = "trackback.revision"
RUN_LABEL = "trackback.run"
RELEASE_LABEL = "trackback.release"
REPLICAS_LABEL = "trackback.replicas"
# Of an image: what runs in it takes commands.
CONTROL_LABEL = "trackback.control"
LOGS_PREDICTIONS_LABEL = "trackback.logs-predictions"
BASE_LABEL = "org.opencontainers.image.base.digest"

MODEL_HEADER = "X-Trackback-Model"
REVISION_HEADER = "X-Trackback-Revision"
RELEASE_HEADER = "X-Trackback-Release"

RUN_ID = re.compile(r"[0-9a-f]{32}")
MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
MODEL_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SHA256 = re.compile(r"[0-9a-f]{64}")
# 0 is of no promotion: a rehearsal.
REVISION = re.compile(r"(0|[1-9][0-9]*)-[0-9a-f]{8}")


def graph_input(place: int) -> str:
    """The graph's input for the column at this place, counted from 0 in the order of model.yaml."""
    return f"input_{place}"
