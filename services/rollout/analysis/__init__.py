"""Whether a candidate does as well as what is live, from what both answered in the same time."""
