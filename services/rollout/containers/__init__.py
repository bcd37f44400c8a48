"""Releases as containers behind HAProxy."""
