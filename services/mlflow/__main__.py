"""`python -m services.mlflow FOLDER PORT`: MLflow's server in this process' place, with all its state in FOLDER."""

import os
import sys
from pathlib import Path

from services.mlflow.server import command, environment


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    os.execve(sys.executable, command(folder, port), environment(os.environ))  # noqa: S606  a server, not a shell


if __name__ == "__main__":
    main()
