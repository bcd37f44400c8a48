"""The MLflow of the integration tests."""

from tests.integration.conftest import mlflow_url

__all__ = ["mlflow_url"]
