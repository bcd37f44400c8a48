"""A sample of a stream in bounded memory, in which each item is as likely as any other.

Source: Vitter, Random Sampling with a Reservoir, ACM TOMS 11 (1985), algorithm R.
"""

import random
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Reservoir(Generic[Item]):
    """The same sample of the same stream each time."""

    def __init__(self, most: int) -> None:
        self.kept: list[Item] = []
        self.seen = 0
        self._most, self._random = most, random.Random(0)

    def offer(self, item: Item) -> None:
        self.seen += 1
        if len(self.kept) < self._most:
            self.kept.append(item)
        elif (place := int(self._random.random() * self.seen)) < self._most:
            self.kept[place] = item
