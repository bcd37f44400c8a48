"""The prediction log of a model out of the tar of its volume, as the engine gives it."""

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from services.contract.errors import Refused
from services.contract.prediction_log import PATTERN, whole_lines
from services.rollout.containers.image_check import Parts


def logged_lines(archive: Iterable[bytes]) -> Iterator[bytes]:
    """Raises Refused for what is no tar."""
    try:
        with tarfile.open(fileobj=Parts(archive), mode="r|") as members:
            for member in members:
                content = members.extractfile(member) if member.isreg() else None
                if content and PurePosixPath(member.name).match(PATTERN):
                    yield from whole_lines(content)
    except tarfile.TarError as error:
        raise Refused(f"expected the volume of a prediction log, cannot read it: {error}") from error
