"""Which secrets there are, who may read each, and how they are made."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.contract.secret_file import write_secret

BYTES = 24
READ_ONLY = 0o400


@dataclass(frozen=True)
class Secret:
    """`readers` are folders; `variable` is the name under which the owner of the stack is shown it."""

    name: str
    readers: tuple[str, ...]
    variable: str | None = None


SECRETS = (
    Secret("postgres-password", ("postgres", "mlflow")),
    Secret("s3-access-key", ("object-store", "mlflow")),
    Secret("s3-secret-key", ("object-store", "mlflow")),
    Secret("admin-password", ("gocd", "operator"), "TRACKBACK_GOCD_PASSWORD"),
    Secret("operator-password", ("gocd", "operator")),
    Secret("agent-key", ("gocd", "agent")),
    Secret("rollout-token", ("rollout", "agent", "operator"), "TRACKBACK_ROLLOUT_TOKEN"),
    Secret("grafana-password", ("grafana", "operator"), "GRAFANA_PASSWORD"),
)
# Whoever reads them: the user of the official images, and of ours.
USERS = {"postgres": 999, "rollout": 0, "grafana": 472}
OURS = 1000
# Not made here: gocd-setup asks GoCD for it.
TOKEN_FILE, TOKEN_VARIABLE = "operator/gocd-token", "TRACKBACK_GOCD_TOKEN"


class Differs(Exception):
    """Readers of one secret have different values, so that one of them would be refused by the other."""


def create(folder: Path) -> int:
    """Makes every secret that has no value yet, and gives it to readers that lack it. Returns how many were new.

    Raises Differs.
    """
    return sum(_give(secret, folder) for secret in SECRETS)


def show(folder: Path) -> Iterator[tuple[str, str]]:
    """Variable and value of all that a person may need."""
    found = [(secret.variable, folder / secret.readers[-1] / secret.name) for secret in SECRETS if secret.variable]
    for variable, path in [*found, (TOKEN_VARIABLE, folder / TOKEN_FILE)]:
        if variable and path.is_file():
            yield variable, path.read_text().strip()


def _give(secret: Secret, folder: Path) -> bool:
    places = [folder / reader / secret.name for reader in secret.readers]
    known = [place.read_text() for place in places if place.is_file()]
    if len(set(known)) > 1:
        raise Differs(f"expected one {secret.name}, found another with each of: {', '.join(secret.readers)}")
    value = known[0] if known else secrets.token_urlsafe(BYTES)
    for place in places:
        if not place.is_file():
            _write(place, value)
    return not known


def _write(path: Path, value: str) -> None:
    """Without a newline, and readable by its reader alone, as its folder is."""
    owner = USERS.get(path.parent.name, OURS) if os.geteuid() == 0 else None
    path.parent.mkdir(parents=True, exist_ok=True)
    if owner is not None:
        os.chown(path.parent, owner, owner)
    path.parent.chmod(0o700)
    write_secret(path, value, READ_ONLY, owner)
