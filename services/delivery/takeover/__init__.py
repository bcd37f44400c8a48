"""A release on its way to all of the traffic, as the stages `deploy` and `watch` follow it."""
