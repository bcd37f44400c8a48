"""One file a machine-learning library: how a candidate is loaded and asked, inside the child process."""
