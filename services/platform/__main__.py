"""The program `python -m services.platform`."""

import typer

from services.platform.supervisor import main

if __name__ == "__main__":
    typer.run(main)
