"""What has happened, in SQLite: modifications, pipelines, stages, users."""
