"""The delivery half of `trackback`: its verbs, and the module in which each lives."""

import ast
import gc
import os
import sys
from importlib import import_module
from pathlib import Path

import typer

from services.contract.errors import Refused, disk_problem, reason

_BY_PEOPLE = (
    *("promote", "rehearse", "accept", "adopt", "status", "trace", "history", "who-served", "audit", "diff", "monitor"),
    *("score", "promote-now", "pause", "resume", "abort", "rollback", "retire", "prune", "publish-image"),
)
VERBS = (*_BY_PEOPLE, "fetch", "validate", "compare", "package", "deploy", "watch", "image", "boot")
GROUPS = ("gocd",)
# Verbs that do the same but for a word; every other one lives in the module of its name.
_SHARED = dict.fromkeys(("promote-now", "pause", "resume", "abort"), "step")


def build(arguments: list[str]) -> typer.Typer:
    """With the verb that is asked for; without one, all of them by name only, because some take long to import."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback()(_about)
    if (asked := arguments[:1]) and asked[0] in (*VERBS, *GROUPS):
        _add(app, asked[0])
    else:
        for verb in (*VERBS, *GROUPS):
            app.command(verb, short_help=_summary(verb))(_unread)
    return app


def _add(app: typer.Typer, verb: str) -> None:
    name = verb.replace("-", "_")
    module = import_module(f"services.delivery.verbs.{_SHARED.get(verb, name)}")
    if verb in GROUPS:
        app.add_typer(module.app, name=verb)
    else:
        app.command(verb)(getattr(module, name))


def _summary(verb: str) -> str:
    """The first line of the verb's module, or of its function in a shared one, read and not imported."""
    name = verb.replace("-", "_")
    path = Path(__file__).parent / "verbs" / f"{_SHARED.get(verb, name)}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if verb in _SHARED:
        function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
        return (ast.get_docstring(function) or "").partition("\n")[0]
    said = (ast.get_docstring(tree) or "").partition("\n")[0].partition(": ")[2]
    return said[:1].upper() + said[1:]


def _unread() -> None:
    """In the place of a verb that is only listed."""


def _about() -> None:
    """The way from a promoted MLflow run to production through GoCD, and back.

    People use promote, rehearse, accept, adopt, status, trace, history, who-served, audit, diff, monitor, score,
    promote-now, pause, resume, abort, rollback, retire, prune and publish-image; pipelines use fetch, validate,
    compare, package, deploy, watch, image and boot; administrators use gocd.
    Also: 'trackback train' and 'trackback schema'.
    """


def main() -> None:
    """Runs the verb; what was refused is one line on stderr and exit 1."""
    # stderr is ours: MLflow's client, where it is needed at all, would draw a bar there for each file.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        build(sys.argv[1:])(prog_name="trackback")
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(1) from None
    except OSError as error:
        if not disk_problem(error):
            raise
        sys.stderr.write(f"expected a disk that takes what is written, found: {reason(error)}\n")
        raise SystemExit(1) from None
    finally:
        # A verb lives for seconds; sorting its memory out at the end would take a third of one.
        gc.freeze()
