"""The four routes that package repositories and packages have alike in GoCD's API."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from services.embedded.api.configuration import Problems, validation_failed
from services.embedded.api.payload import Json, Payload
from services.embedded.api.protocol import ADMIN, CurrentEngine, accepts, answer, links, refuse_stale
from services.embedded.engine import CiEngine
from services.embedded.records.catalog import Package, Repository

Item = TypeVar("Item", Repository, Package)


@dataclass(frozen=True, kw_only=True)
class Names:
    """GoCD's words for it: in addresses, as a list, and in each kind of message."""

    path: str
    documentation: str
    listed: str
    in_validation: str
    in_saving: str
    in_stale: str
    in_not_found: str


class CatalogRoutes(ABC, Generic[Item]):
    version: int
    names: Names
    # Whether a refused change has the ETag of what is there.
    tags_refusals = False

    @abstractmethod
    def all(self, engine: CiEngine) -> Sequence[Item]: ...

    @abstractmethod
    def read(self, engine: CiEngine, new: Json) -> Item:
        """Raises a 422."""

    @abstractmethod
    def problems(self, engine: CiEngine, wanted: Item, others: Sequence[Item]) -> Problems | None:
        """By field; None when there are none. Empty for a problem of which GoCD names no field."""

    @abstractmethod
    def add(self, engine: CiEngine, new: Item) -> None: ...

    @abstractmethod
    def put(self, engine: CiEngine, new: Item) -> None: ...

    @abstractmethod
    def shape(self, engine: CiEngine, item: Item) -> dict[str, Any]: ...

    @abstractmethod
    def sent(self, wanted: Item, problems: Problems) -> dict[str, Any]:
        """What was sent, with its problems, as GoCD sends it back."""

    def renamed(self, wanted: Item) -> dict[str, Any]:  # noqa: ARG002  packages send it back
        """The body of a refused change whose body has another id than its path."""
        return {"message": f"Changing the {self.names.in_validation} id is not supported by this API."}

    @abstractmethod
    def has_bad_id(self, wanted: Item, others: Sequence[Item]) -> bool:
        """Whether GoCD answers with a 500, which it does after its validations."""

    def router(self) -> APIRouter:
        router = APIRouter(prefix=f"/go/api/admin/{self.names.path}", dependencies=[accepts(self.version), ADMIN])
        router.add_api_route("", self.get_all, methods=["GET"])
        router.add_api_route("", self.create, methods=["POST"])
        router.add_api_route("/{identity}", self.get_one, methods=["GET"])
        router.add_api_route("/{identity}", self.replace, methods=["PUT"])
        return router

    def get_all(self, engine: CurrentEngine) -> JSONResponse:
        shapes = [self.shape(engine, item) for item in self.all(engine)]
        url = f"{engine.site.server_url}/api/admin/{self.names.path}"
        found = {"_links": links(url, self.names.documentation), "_embedded": {self.names.listed: shapes}}
        return answer(self.version, found)

    def get_one(self, engine: CurrentEngine, identity: str) -> JSONResponse:
        return self._tagged(engine, self._known(engine, identity))

    def create(self, engine: CurrentEngine, new: Payload) -> JSONResponse:
        wanted, others = self.read(engine, new), self.all(engine)
        if refused := self._invalid(engine, wanted, others):
            return refused
        if self.has_bad_id(wanted, others):
            saving = f"Save failed. An error occurred while saving the {self.names.in_saving} config."
            message = f"{saving} Please check the logs for more information."
            return answer(self.version, {"message": message, "data": self.sent(wanted, {})}, 500)
        self.add(engine, wanted)
        engine.materials.refresh()
        return self._tagged(engine, wanted)

    def replace(self, engine: CurrentEngine, request: Request, identity: str, new: Payload) -> JSONResponse:
        wanted = self.read(engine, new)
        current = self._tagged(engine, self._known(engine, identity))
        refuse_stale(request, current, self._stale(identity))
        if refused := self._refused_change(engine, wanted, identity):
            if self.tags_refusals:
                refused.headers["ETag"] = current.headers["ETag"]
            return refused
        self.put(engine, wanted)
        engine.materials.refresh()
        return self._tagged(engine, wanted)

    def _refused_change(self, engine: CiEngine, wanted: Item, identity: str) -> JSONResponse | None:
        if wanted.id != identity:
            return answer(self.version, self.renamed(wanted), 422)
        return self._invalid(engine, wanted, [it for it in self.all(engine) if it.id != identity])

    def _invalid(self, engine: CiEngine, wanted: Item, others: Sequence[Item]) -> JSONResponse | None:
        problems = self.problems(engine, wanted, others)
        if problems is None:
            return None
        message = validation_failed(self.names.in_validation, wanted.id)
        return answer(self.version, {"message": message, "data": self.sent(wanted, problems)}, 422)

    def _known(self, engine: CiEngine, identity: str) -> Item:
        found = next((it for it in self.all(engine) if it.id == identity), None)
        if not found:
            raise HTTPException(404, f"Package {self.names.in_not_found} with id '{identity}' was not found!")
        return found

    def _stale(self, identity: str) -> str:
        return (
            f"Someone has modified the configuration for {self.names.in_stale} '{identity}'."
            " Please update your copy of the config with the changes and try again."
        )

    def _tagged(self, engine: CiEngine, item: Item) -> JSONResponse:
        return answer(self.version, self.shape(engine, item), tagged=True)
