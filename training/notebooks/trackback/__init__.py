"""`import trackback` in a notebook or a script: logs its model as `trackback train` logs one.

Works in the environment `.venv/training`, beside this folder or with its parent on PYTHONPATH.
"""

import sys
from pathlib import Path

_CHECKOUT = str(Path(__file__).resolve().parents[3])
# A kernel finds this package by its own folder; what does the work is the training job of the same checkout.
if _CHECKOUT not in sys.path:
    sys.path.append(_CHECKOUT)

from training.notebook import ModelRun, last_run, run  # noqa: E402  after the line above

__all__ = ["ModelRun", "last_run", "run"]
