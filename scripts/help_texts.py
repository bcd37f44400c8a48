"""Writes the texts of scripts/help: `python -m scripts.help_texts`, after a change of a command or its options."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.delivery.cli import GROUPS, VERBS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "scripts" / "help"
TRAINING = ("train", "schema", "verify-data")
PLAIN = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}


def commands() -> dict[str, list[str]]:
    """What says the text, by the text's name."""
    delivery = ["-m", "services.delivery"]
    return {
        "demo": ["scripts/demo.py"],
        "platform": ["-m", "services.embedded.platform"],
        "poll-cost": ["scripts/poll_cost.py"],
        "trackback": delivery,
        **{f"trackback-{verb}": [*delivery, verb] for verb in (*VERBS, *GROUPS)},
        "trackback-gocd-set-up": [*delivery, "gocd", "set-up"],
        **{f"trackback-{verb}": ["-m", "training", verb] for verb in TRAINING},
    }


def texts() -> dict[str, str]:
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(commands(), pool.map(_said, commands().values()), strict=True))


def _said(command: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, env=PLAIN, capture_output=True, text=True, check=True
    )
    # Whoever reads it has started the script.
    said = done.stdout.replace("demo.py [", "scripts/demo [").replace(
        "python -m services.embedded.platform [", "scripts/platform ["
    )
    return "\n".join(line.rstrip() for line in said.strip("\n").split("\n")).strip("\n") + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
