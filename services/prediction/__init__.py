"""The service that answers for one release. It knows neither MLflow nor the rollout service."""
