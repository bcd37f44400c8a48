"""Progress of many blocks: a line for each tenth."""

from services.delivery.output import say
from services.delivery.publishing.disk import BLOCK


class Progress:
    """`done` of `total` blocks were there before."""

    def __init__(self, doing: str, total: int, done: int = 0) -> None:
        self._doing, self._total, self._done = doing, total, done

    def one_more(self) -> None:
        before, self._done = self._done, self._done + 1
        if self._done * 10 // self._total > before * 10 // self._total:
            say(f"{self._doing}: {self}")

    def __str__(self) -> str:
        return f"{self._done:,} of {self._total:,} blocks, {self._done * BLOCK // 1024**2:,} MiB"
