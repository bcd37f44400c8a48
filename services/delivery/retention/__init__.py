"""What of the store is of no use any more, and its removal."""
