"""The training job, which logs runs to MLflow. A data scientist edits `models/`."""
