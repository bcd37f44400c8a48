"""What processes agree on: records, names and digests. Imports nothing else of ours."""
