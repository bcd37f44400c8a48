"""`python -m services.delivery`: the verbs."""

from services.delivery.cli import main

main()
