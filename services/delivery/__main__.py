"""`python -m services.delivery`: the verbs."""

import gc

gc.disable()  # also while importing, which makes nothing but what stays

from services.delivery.cli import main  # noqa: E402

main()
