"""The delivery half of `trackback`: each verb lives in the module of its name."""

import gc
import sys
from importlib import import_module

import typer

from services.contract.errors import Refused, disk_problem, reason

VERBS = ("promote", "status", "trace", "rollback", "fetch", "validate", "compare", "package", "deploy")
GROUPS = ("gocd",)


def build(arguments: list[str]) -> typer.Typer:
    """Imports only the verb that is asked for: some need libraries that take a second to import."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_about)
    for verb in arguments[:1] if arguments[:1] and arguments[0] in (*VERBS, *GROUPS) else (*VERBS, *GROUPS):
        module = import_module(f"services.delivery.{verb}")
        if verb in GROUPS:
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb)(getattr(module, verb))
    return app


def _about() -> None:
    """The way from a promoted MLflow run to production through GoCD, and back.

    People use promote, status, trace and rollback; pipelines use fetch, validate, compare, package and deploy;
    administrators use gocd.
    Also: 'trackback train' and 'trackback schema'.
    """


def main() -> None:
    """Runs the verb; what was refused is one line on stderr and exit 1."""
    gc.disable()
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
