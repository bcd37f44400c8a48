package com.thoughtworks.go.plugin.internal.api;

/** Where GoCD's plugin API writes log lines. The API jar refers to this interface and does not contain it. */
public interface LoggingService {
    void debug(String pluginId, String logger, String message);

    void debug(String pluginId, String logger, String message, Object first);

    void debug(String pluginId, String logger, String message, Object first, Object second);

    void debug(String pluginId, String logger, String message, Object[] arguments);

    void debug(String pluginId, String logger, String message, Throwable failure);

    void info(String pluginId, String logger, String message);

    void info(String pluginId, String logger, String message, Object first);

    void info(String pluginId, String logger, String message, Object first, Object second);

    void info(String pluginId, String logger, String message, Object[] arguments);

    void info(String pluginId, String logger, String message, Throwable failure);

    void warn(String pluginId, String logger, String message);

    void warn(String pluginId, String logger, String message, Object first);

    void warn(String pluginId, String logger, String message, Object first, Object second);

    void warn(String pluginId, String logger, String message, Object[] arguments);

    void warn(String pluginId, String logger, String message, Throwable failure);

    void error(String pluginId, String logger, String message);

    void error(String pluginId, String logger, String message, Object first);

    void error(String pluginId, String logger, String message, Object first, Object second);

    void error(String pluginId, String logger, String message, Object[] arguments);

    void error(String pluginId, String logger, String message, Throwable failure);
}
