"""The job that logs runs: what a data scientist edits."""
