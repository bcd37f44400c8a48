"""What can be concluded from a hold-out: intervals, tests and distances, on arrays of rows."""
