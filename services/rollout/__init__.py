"""Which release answers for each model: candidates, checks, switching, rollback, journal."""
