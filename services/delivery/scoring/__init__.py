"""Asks models for their answers to the hold-out, in a limited child process."""
