package io.trackback.mlflow;

import java.io.InputStream;

/** A complete HTTP response: its status, and a body of `length` bytes. */
record Response(int status, int length, InputStream body) {}
