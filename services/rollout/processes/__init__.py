"""Releases as processes behind a shared socket."""
