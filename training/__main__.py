"""`python -m training`: the training half of `trackback`."""

from training.cli import main

main()
