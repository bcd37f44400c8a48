"""Processes that are killed are forks of one that has imported what they need, so that a start is cheap."""

from multiprocessing import get_context

FORKED = get_context("forkserver")
# One server forks for all that ask in a process, so it has what each of them needs. A child imports the module that
# was started with -m once more, which is cheap when it has what that imports.
FORKED.set_forkserver_preload(
    ["benchmarks.killed_service", "benchmarks.killed_ci_server", "tests.support.steady_client"]
)
