"""Polls packages, config repos and the file of the pipelines, with GoCD's back-off."""
