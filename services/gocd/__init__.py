"""GoCD as its users see it: pipelines, a REST client and the set-up of a server."""
