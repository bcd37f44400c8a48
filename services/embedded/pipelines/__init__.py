"""Reads `*.gocd.yaml` and knows the pipelines that are defined."""
