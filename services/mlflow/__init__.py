"""The tracking server, with the switches that it needs."""
