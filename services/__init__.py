"""The services of the platform: components that meet through HTTP, files, MLflow and GoCD."""
