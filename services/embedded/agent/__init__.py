"""Runs the jobs of stages, as a GoCD agent does."""
