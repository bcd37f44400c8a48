"""REST clients of MLflow and of the rollout service."""
