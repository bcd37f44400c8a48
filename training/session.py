"""The code that is running now: a notebook as far as it was executed, with its outputs, or a script."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow

from services.contract import names
from training.tracking import expecting

NOTEBOOK = "notebook.ipynb"
_STREAMS = {"out_stream": "stdout", "err_stream": "stderr"}


def session_code() -> dict[str, bytes]:
    """The file by its name; none in a session without a notebook and without a script."""
    if shell := _shell():
        return {NOTEBOOK: executed(shell.history_manager)}
    script = getattr(sys.modules["__main__"], "__file__", None)
    return {Path(script).name: Path(script).read_bytes()} if script else {}


def keep_outputs_of_this_cell(run_id: str) -> None:
    """Logs the notebook once more when the cell that ended the run has ended too, since its outputs come last."""
    if not (shell := _shell()):
        return

    def log(_: Any) -> None:
        shell.events.unregister("post_run_cell", log)
        with expecting("to log the notebook"):
            text = executed(shell.history_manager).decode()
            mlflow.MlflowClient().log_text(run_id, text, f"{names.SESSION_FOLDER}/{NOTEBOOK}")

    shell.events.register("post_run_cell", log)


def _shell() -> Any:
    """IPython's, None elsewhere."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def executed(history: Any) -> bytes:
    """A notebook of the cells of this session in the order in which they ran, which a saved file need not have.

    `history` is IPython's history manager.
    """
    from nbformat import v4, writes

    cells = [
        v4.new_code_cell(source, execution_count=count, outputs=list(_outputs(history, count)))
        for count, source in enumerate(history.input_hist_raw)
        if count
    ]
    return str(writes(v4.new_notebook(cells=cells))).encode()


def _outputs(history: Any, count: int) -> Iterator[Any]:
    from nbformat import v4

    for output in history.outputs.get(count, ()):
        if output.output_type in _STREAMS:
            yield v4.new_output("stream", name=_STREAMS[output.output_type], text="".join(output.bundle["stream"]))
        else:
            number = {"execution_count": count} if output.output_type == "execute_result" else {}
            yield v4.new_output(output.output_type, data=output.bundle, **number)
    if error := history.exceptions.get(count):
        yield v4.new_output("error", **{name: error[name] for name in ("ename", "evalue", "traceback")})
