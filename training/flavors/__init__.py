"""One file a machine-learning library: how it is fitted and logged."""
