"""What the gates say of a model folder that is logged nowhere, on a few rows; a part of `trackback check`.

usage: python -m services.delivery.verbs.trial MODEL FOLDER HOLDOUT, which prints the checks as JSON
"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from services.contract.digest import file_sha256
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.verdict import Check, Verdict
from services.delivery.gates.checks import switched
from services.delivery.gates.custody import signature_check
from services.delivery.scoring.scoring import Examined, HoldoutRequest, Scorer
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.fetch import library_of
from services.delivery.verdicts.validating import examined_checks

ROWS = 100


def tried(scorer: Scorer, folder: Path, holdout: Path) -> list[Check]:
    """The checks of `validate` that need no run, and how the model would be served."""
    library, digest, sha256 = library_of(folder), scorer.store.put_model(folder), file_sha256(holdout)
    scorer.store.put_holdout(holdout, sha256)
    request = HoldoutRequest(library, scorer.store.model(digest), digest, sha256)
    rows = scorer.holdout(sha256)
    few = replace(rows, rows=rows.rows[:ROWS], actual=rows.actual[:ROWS])
    examined = scorer.examine(request, few)
    checks = examined_checks(examined, request.folder, scorer.config)
    found = [signature_check(request.folder, scorer.config), *checks, *_served(examined)]
    return list(switched(found, scorer.config.gates))


def _served(examined: Examined) -> list[Check]:
    """Nothing of a model that stopped before it had a form, as another check says why."""
    if (forms := examined.forms) is None:
        return []
    ways = [form.runtime for form in forms.forms]
    found = "; ".join([" or ".join(ways) or "none, so it is for batch only", *forms.notes])
    verdict = Verdict.PASS if ways else Verdict.INCONCLUSIVE
    return [Check(name="serving", verdict=verdict, expected="a form for online prediction", found=found)]


def main(model: str, folder: str, holdout: str) -> None:
    declared = Path(model)
    config, settings = load_model_config(declared.parent, declared.name), Settings()
    with tempfile.TemporaryDirectory() as temporary:
        store = Store(Path(temporary))
        scorer = replace(Scorer.of(settings, config), store=store)
        found = tried(scorer, Path(folder), Path(holdout))
    sys.stdout.write(json.dumps([check.model_dump(mode="json") for check in found]))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(1) from None
