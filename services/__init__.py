"""The services of the platform; each folder is a room, and rooms meet through HTTP, files, MLflow and GoCD."""
