"""A small CI server that stands in for GoCD on one machine."""
