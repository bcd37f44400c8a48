"""`trackback notebook`: runs a notebook from top to bottom in a kernel of this environment."""

import os
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.reader import NotJSONError

from services.contract.errors import Refused
from training.logged_run import TrainedRun
from training.settings import ROOT

_KERNEL = "python3"
# Seconds, where others use the cores as well.
_PATIENCE = 600
_ASK = "import trackback as _trackback; print(_trackback.last_run().to_json() if _trackback.last_run() else '')"


def execute(notebook: Path, out: Path) -> TrainedRun:
    """Writes the notebook with its outputs to `out`, and gives the run that it logged last.

    Raises Refused, naming the error, when a cell raises one, and when no run was logged.
    """
    found, asking = _read(notebook), nbformat.v4.new_code_cell(_ASK)
    found.cells.append(asking)
    try:
        _run(found, notebook.resolve().parent)
    except CellExecutionError as error:
        said = f"{error.ename}: {' '.join(error.evalue.split())}"
        raise Refused(f"{notebook}: expected every cell to run, found {said}: the cell is in {out}") from error
    except NoSuchKernel as error:
        raise Refused(f"{notebook}: expected the kernel {_KERNEL} in this environment, found none") from error
    finally:
        found.cells.remove(asking)
        nbformat.write(found, out)
    printed = "".join(output.get("text", "") for output in asking.outputs).strip()
    if not printed:
        raise Refused(f"{notebook}: expected a cell that logs a model with `trackback.run`, found none")
    return TrainedRun.from_json(printed, str(notebook))


def _run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """In a kernel that leaves nothing behind in the home of whoever runs it."""
    with tempfile.TemporaryDirectory() as temporary:
        os.environ |= {
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "training" / "notebooks"))),
            "JUPYTER_RUNTIME_DIR": temporary,
            "IPYTHONDIR": temporary,
        }
        resources = {"metadata": {"path": str(folder)}}
        kernel = {"kernel_name": _KERNEL, "startup_timeout": _PATIENCE}
        NotebookClient(notebook, timeout=None, resources=resources, **kernel).execute()


def _read(notebook: Path) -> nbformat.NotebookNode:
    try:
        return nbformat.read(notebook, as_version=4)
    except (OSError, NotJSONError, UnicodeDecodeError) as error:
        raise Refused(
            f"{notebook}: expected a notebook, cannot read it: {' '.join(str(error).split())[:200]}"
        ) from error
