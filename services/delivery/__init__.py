"""The verbs that take a promoted run to production, one file each."""
