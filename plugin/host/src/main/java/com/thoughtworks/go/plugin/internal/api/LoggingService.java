package com.thoughtworks.go.plugin.internal.api;

/** What GoCD's plugin API writes its log lines to; the API names it and leaves it to GoCD, and here to the host. */
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
