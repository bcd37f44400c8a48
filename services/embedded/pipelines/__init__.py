"""Reads `*.gocd.yaml` files, checks them, and holds the pipelines that are in force."""
