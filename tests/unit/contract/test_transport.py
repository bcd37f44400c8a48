"""Waiting for a service that is being restarted."""

import pytest

from services.contract.transport import patiently


def test_only_what_passes_is_asked_again() -> None:
    errors = iter([OSError("away"), OSError("away"), KeyError("a fault")])

    def ask() -> None:
        raise next(errors)

    with pytest.raises(KeyError):
        patiently(ask, 60, (OSError,))
    assert next(errors, None) is None


def test_without_patience_it_is_asked_once() -> None:
    errors = iter([OSError("first"), OSError("second")])

    def ask() -> None:
        raise next(errors)

    with pytest.raises(OSError, match="first"):
        patiently(ask, 0, (OSError,))
