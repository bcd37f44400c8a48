"""Writes scripts/help/*.txt: run `python -m scripts.help_texts` after a change of a command or its options."""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.delivery.cli import GROUPS, VERBS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "scripts" / "help"
STARTED_BY = {
    "demo": "scripts/demo",
    "demo.drills": "scripts/drill",
    "services.platform": "scripts/platform",
    "benchmarks.batch_speed": "benchmarks/batch-speed",
    "benchmarks.hostile_requests": "benchmarks/hostile",
    "benchmarks.poll_cost": "benchmarks/poll-cost",
    "benchmarks.serving_cost": "benchmarks/serving-cost",
    "benchmarks.recovery": "benchmarks/recovery",
    "benchmarks.switches": "benchmarks/switches",
    "benchmarks.worker_scaling": "benchmarks/worker-scaling",
    "benchmarks.serving": "benchmarks/serving",
}
TRAINING = ("check", "train", "notebook", "reproduce", "schema", "verify-data")
PLAIN = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}


def commands() -> dict[str, list[str]]:
    """{name of the text: arguments of Python that print it}."""
    delivery = ["-m", "services.delivery"]
    return {
        "batch-speed": ["-m", "benchmarks.batch_speed"],
        "demo": ["-m", "demo"],
        "drill": ["-m", "demo.drills"],
        "hostile": ["-m", "benchmarks.hostile_requests"],
        "platform": ["-m", "services.platform"],
        "poll-cost": ["-m", "benchmarks.poll_cost"],
        "serving-cost": ["-m", "benchmarks.serving_cost"],
        "serving": ["-m", "benchmarks.serving"],
        "recovery": ["-m", "benchmarks.recovery"],
        "switches": ["-m", "benchmarks.switches"],
        "trackback": delivery,
        **{f"trackback-{verb}": [*delivery, verb] for verb in (*VERBS, *GROUPS)},
        "trackback-gocd-set-up": [*delivery, "gocd", "set-up"],
        **{f"trackback-{verb}": ["-m", "training", verb] for verb in TRAINING},
        "worker-scaling": ["-m", "benchmarks.worker_scaling"],
    }


def texts() -> dict[str, str]:
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(commands(), pool.map(_said, commands().values()), strict=True))


def _said(command: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, env=PLAIN, capture_output=True, text=True, check=True
    )
    # The reader has called the script, not the module.
    said = done.stdout
    for program, script in STARTED_BY.items():
        said = said.replace(f"python -m {program} [", f"{script} [")
    return "\n".join(line.rstrip() for line in said.strip("\n").split("\n")).strip("\n") + "\n"


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m scripts.help_texts", description=__doc__).parse_args()
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
