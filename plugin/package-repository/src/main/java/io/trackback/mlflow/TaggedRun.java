package io.trackback.mlflow;

/** A run and the value of the tag that promotes it, both as they stand in MLflow. */
record TaggedRun(Run run, String value, String reason) {}
