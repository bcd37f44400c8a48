"""The supervisor of the platform on one machine."""
