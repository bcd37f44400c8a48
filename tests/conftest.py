"""The rules that hold for every test: what it may start, what is set up for it, and what runs beside it."""

import pytest

from tests.support.needs import mark_folder, needs, set_up
from tests.support.process_rule import ProcessRule
from tests.support.progress import ProgressPlugin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--progress", action="store_true", help="no dots: a line for each file that begins or ends")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ProcessRule())
    if config.getoption("--progress") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ProgressPlugin(config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark_folder(item)
        # With --dist loadgroup a file stays on one worker, for its fixtures; files that share a stack have a group.
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly:
        set_up(needs(session.items))
