"""Decides which pipeline runs when, and with which revisions."""
