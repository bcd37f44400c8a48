"""A machine image: a disk that boots, scores a batch with one release's container, and powers off."""
