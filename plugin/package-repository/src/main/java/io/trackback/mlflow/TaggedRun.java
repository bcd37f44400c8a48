package io.trackback.mlflow;

/** A run, the value of its promoting tag, and the reason that belongs to that value. */
record TaggedRun(Run run, String value, String reason) {}
