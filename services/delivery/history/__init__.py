"""What the ledgers say: who did what, and what answered when."""
