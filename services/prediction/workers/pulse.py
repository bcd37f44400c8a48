"""What workers show their parent and one another, in memory that they share: one that hangs could send no message."""

import mmap

_BEATS, _CONNECTIONS, _ROWS, _ROW_NANOSECONDS, _BODY_NANOSECONDS = range(5)
_CELLS = 8  # a cache line each, so that no worker slows another down
_CELL_BYTES = 8


class Pulse:
    """Of one worker, which alone writes it while it lives; a number is written and read as a whole."""

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells

    @property
    def beats(self) -> int:
        """How often its event loop came round since it was started."""
        return int(self._cells[_BEATS])

    @property
    def rows(self) -> int:
        """Given to the model since the last beat."""
        return int(self._cells[_ROWS])

    @property
    def connections(self) -> int:
        return int(self._cells[_CONNECTIONS])

    @property
    def row_seconds(self) -> float:
        """What a golden row took when the worker proved itself."""
        return float(self._cells[_ROW_NANOSECONDS]) / 1e9

    @property
    def body_seconds(self) -> float:
        """What the largest body may take to be read and checked."""
        return float(self._cells[_BODY_NANOSECONDS]) / 1e9

    def beat(self) -> None:
        self._cells[_BEATS] += 1
        self._cells[_ROWS] = 0

    def work_on(self, rows: int) -> None:
        self._cells[_ROWS] += rows

    def show_connections(self, count: int) -> None:
        self._cells[_CONNECTIONS] = count

    def show_row_seconds(self, seconds: float) -> None:
        self._cells[_ROW_NANOSECONDS] = int(seconds * 1e9)

    def show_body_seconds(self, seconds: float) -> None:
        self._cells[_BODY_NANOSECONDS] = int(seconds * 1e9)

    def clear(self) -> None:
        for cell in (_BEATS, _CONNECTIONS, _ROWS):
            self._cells[cell] = 0


class Page:
    """The pulses of all workers, made before they are forked."""

    def __init__(self, workers: int) -> None:
        cells = memoryview(mmap.mmap(-1, workers * _CELLS * _CELL_BYTES)).cast("Q")
        self._pulses = [Pulse(cells[_CELLS * number : _CELLS * (number + 1)]) for number in range(workers)]

    @property
    def workers(self) -> int:
        return len(self._pulses)

    def pulse(self, number: int) -> Pulse:
        return self._pulses[number]

    def others(self, number: int) -> list[Pulse]:
        return [pulse for other, pulse in enumerate(self._pulses) if other != number]
