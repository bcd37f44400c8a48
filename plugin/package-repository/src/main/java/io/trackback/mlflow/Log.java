package io.trackback.mlflow;

import com.thoughtworks.go.plugin.api.logging.Logger;

/** GoCD's log of this plugin, `plugin-trackback.mlflow.log`. */
final class Log {
    static final String PLUGIN_ID = "trackback.mlflow";

    private Log() {}

    static Logger of(Class<?> source) {
        return Logger.getLoggerFor(source, PLUGIN_ID);
    }

    static long millisecondsSince(long nanoTime) {
        return (System.nanoTime() - nanoTime) / 1_000_000;
    }
}
