"""The value-stream map of one instance, in the shape of GoCD's ValueStreamMapModel."""

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse

from services.embedded.api.pipeline_shape import stage_status
from services.embedded.api.protocol import CurrentEngine
from services.embedded.engine import CiEngine
from services.embedded.records.history import UNKNOWN, Instance
from services.embedded.scheduling.value_stream import Node, ValueStream

router = APIRouter(prefix="/go/pipelines/value_stream_map")


@router.get("/{pipeline}/{counter}.json")
def value_stream_map(engine: CurrentEngine, pipeline: str, counter: int) -> JSONResponse:
    instance = engine.history.instance(pipeline, counter)
    if not instance or pipeline not in engine.pipelines.pipelines:
        raise HTTPException(404, f"Pipeline '{pipeline}' with counter '{counter}' not found.")
    levels = ValueStream(engine.pipelines, engine.history).levels(instance)
    shapes = [{"nodes": [_node(engine, node, depth) for node in level]} for depth, level in enumerate(levels)]
    return JSONResponse({"current_pipeline": pipeline, "levels": shapes})


@router.get("/{pipeline}/{counter}")
def value_stream_page(pipeline: str, counter: int) -> RedirectResponse:
    """Links to GoCD's page of a value stream lead to its place on our page."""
    return RedirectResponse(f"/#{quote(pipeline)}-{counter}", 303)


def _node(engine: CiEngine, node: Node, depth: int) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "id": node.id,
        "name": node.name,
        "node_type": "PACKAGE" if node.cause else "PIPELINE",
        "parents": node.parents,
        "dependents": node.dependents,
        "depth": depth,
        "instances": [_instance(engine, instance) for instance in node.instances],
    }
    if node.cause:
        shape["material_names"] = [node.cause.material]
        shape["material_revisions"] = [{"modifications": _modifications(node)}]
    return shape


def _modifications(node: Node) -> list[dict[str, Any]]:
    found = node.cause.modifications if node.cause else ()
    return [{"revision": it.revision, "user": it.user, "comment": it.comment} for it in found]


def _instance(engine: CiEngine, instance: Instance) -> dict[str, Any]:
    return {
        "label": instance.label,
        "counter": instance.counter,
        "locator": f"/go/pipelines/value_stream_map/{instance.pipeline}/{instance.counter}",
        "stages": [_stage(engine, instance, name) for name in engine.stage_names(instance.pipeline)],
    }


def _stage(engine: CiEngine, instance: Instance, name: str) -> dict[str, Any]:
    stage = engine.stages.latest(instance, name)
    status = stage_status(stage)
    locator = f"/go/pipelines/{instance.pipeline}/{instance.counter}/{name}/{stage.counter}" if stage else ""
    return {"name": name, "status": status, "locator": locator if status != UNKNOWN else ""}
