"""What the reports draw: one module a kind of plot, each of records or answers."""
