package io.trackback.mlflow;

import java.io.InputStream;

/** The whole of what came back: the status, and a body of `length` bytes. */
record Response(int status, int length, InputStream body) {}
