"""A share of the requests that the live release hands to a candidate, or shows it copies of."""
