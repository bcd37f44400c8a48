"""A share of the requests that the live release hands to a candidate, whose answers go back to the clients."""
