"""Reads how a run came to be: from its artifact, or from the tags of a run that was logged before there was one."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TypeVar

from services.contract import names
from services.contract.candidate import DataDigest, DataSchema, Environment, Machine, Provenance, SourcesDigest
from services.contract.errors import Refused
from services.contract.record import Record

Shape = TypeVar("Shape", bound=Record)


def read_provenance(run_id: str, tags: Mapping[str, str], read: Callable[[str], bytes]) -> Provenance:
    """`read` gives the content of one of the run's artifacts, by its path.

    Raises Refused, naming what the run lacks, or when the artifact is not the one that was logged.
    """
    expected = tags.get(names.PROVENANCE_TAG)
    if expected is None:
        return _of_tags(run_id, tags)
    content, where = read(names.PROVENANCE_ARTIFACT), f"{names.PROVENANCE_ARTIFACT} of run {run_id}"
    if hashlib.sha256(content).hexdigest() != expected:
        raise Refused(f"expected {where} as it was logged, found another: it was changed in the artifact store")
    return Provenance.from_json(content, where)


def _of_tags(run_id: str, tags: Mapping[str, str]) -> Provenance:
    def record(name: str, shape: type[Shape]) -> Shape:
        return shape.from_json(tag(run_id, tags, name), name)

    if names.LIBRARIES_TAG not in tags:
        raise Refused(
            f"expected the tag {names.PROVENANCE_TAG} on run {run_id}, found none: log runs with `trackback train` or "
            "`import trackback`, or see what `trackback adopt` can make of this one"
        )
    return Provenance(
        libraries=json.loads(tags[names.LIBRARIES_TAG]),
        training=record(names.TRAINING_DATA_TAG, DataDigest),
        holdout=record(names.HOLDOUT_TAG, DataDigest),
        data_schema=record(names.SCHEMA_TAG, DataSchema),
        sources=record(names.SOURCES_TAG, SourcesDigest),
        environment=record(names.ENVIRONMENT_TAG, Environment),
        machine=record(names.MACHINE_TAG, Machine),
    )


def tag(run_id: str, tags: Mapping[str, str], name: str) -> str:
    """Raises Refused when the run has none of this name."""
    if name not in tags:
        raise Refused(f"expected the tag {name} on run {run_id}, found none: log runs with `trackback train`")
    return str(tags[name])
