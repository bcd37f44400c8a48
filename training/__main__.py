"""`python -m training`: the commands train, verify-data and schema of `trackback`."""

from training.cli import main

main()
