"""The rules that hold for every test: what it may start, and what is set up for it."""

import gc

import pytest

from tests.support.needs import mark_folder, needs, set_up
from tests.support.process_rule import ProcessRule


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ProcessRule())
    # Modules and tests stay, so looking through them for garbage finds none and takes a third of the time.
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark_folder(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()
    if not session.config.option.collectonly:
        set_up(needs(session.items))
