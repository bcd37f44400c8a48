"""Puts together what a process shows of itself, by its settings and its release's."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from starlette.types import ASGIApp

from services.contract.prediction_log import is_sampled
from services.contract.release import Release
from services.prediction.observed.access_log import MOST_WAITING as MOST_LINES
from services.prediction.observed.access_log import AccessLine, AccessLog
from services.prediction.observed.figures import Place
from services.prediction.observed.identity import identity_of
from services.prediction.observed.layer import Headers, Noting, Observed
from services.prediction.observed.log_writer import LogWriter, Sink
from services.prediction.observed.prediction_log import MOST_WAITING as MOST_ROWS
from services.prediction.observed.prediction_log import PredictionLine, PredictionLog
from services.prediction.observed.rotated_files import RotatedFiles, StandardOutput
from services.prediction.observed.settings import ObservedSettings
from services.prediction.observed.siblings import join
from services.prediction.observed.whole import Whole

OFF = ObservedSettings()


class Closed(Noting, Protocol):
    """One that has to write down what waits."""

    def close(self) -> None: ...


class Observer:
    """Of one process, made after a fork."""

    def __init__(self, release: Release, settings: ObservedSettings = OFF) -> None:
        self._release = release
        self._settings = settings
        self._group = join(settings.figures)
        self._noting: list[Closed] = []
        self._wanted: Callable[[str], bool] | None = None
        self._open_logs()

    def count(self, place: Place, amount: float = 1.0) -> None:
        self._group.own.add(place, amount)

    def around(self, app: ASGIApp, headers: Headers = ()) -> ASGIApp:
        """`headers` go with every answer but a candidate's, which has its own."""
        return Observed(app, self._group.own, self._noting, self._wanted, headers)

    def only_counting(self, app: ASGIApp, headers: Headers = ()) -> ASGIApp:
        """Of requests whose answers no client gets: they are in the figures, and written down nowhere."""
        return Observed(app, self._group.own, headers=headers)

    def metrics(self) -> bytes:
        """In Prometheus' text format, of all workers together. Takes milliseconds, and more the first time."""
        from services.prediction.observed.exposition import exposition

        control = self._settings.control
        return exposition(self._group.total(), identity_of(self._release), Whole.of(control) if control else None)

    def close(self) -> None:
        """Writes down what waits."""
        for one in self._noting:
            one.close()
        self._group.leave()

    def _open_logs(self) -> None:
        settings, logged = self._settings, self._release.manifest.limits.prediction_log
        if settings.access_log:
            self._noting.append(self._access_log())
        if settings.predictions and logged.share:
            self._noting.append(
                self._prediction_log(RotatedFiles(settings.predictions, "predictions", logged.max_bytes))
            )
            self._wanted = partial(is_sampled, share=logged.share)
        if settings.traces:
            from services.prediction.observed.spans import Spans

            self._noting.append(Spans(self._release))

    def _access_log(self) -> AccessLog:
        settings = self._settings
        folder = settings.access_folder
        sink: Sink = RotatedFiles(folder, "access", settings.access_bytes) if folder else StandardOutput()
        places = (Place.ACCESS_LOST, Place.ACCESS_FAILED)
        encode = AccessLine(self._release).encode
        return AccessLog(settings.access_log, LogWriter(encode, sink, self._group.own, places, MOST_LINES))

    def _prediction_log(self, files: RotatedFiles) -> PredictionLog:
        places = (Place.PREDICTIONS_LOST, Place.PREDICTIONS_FAILED)
        encode = PredictionLine(self._release, files.line_bytes).encode
        return PredictionLog(LogWriter(encode, files, self._group.own, places, MOST_ROWS))
