package io.trackback.host;

import com.thoughtworks.go.plugin.api.logging.Logger;
import com.thoughtworks.go.plugin.internal.api.LoggingService;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;

/** Writes a plugin's log to stderr, from a level on that is set as in GoCD. */
record StderrLog(int least) {
    private static final List<String> LEVELS = List.of("debug", "info", "warn", "error");

    /** The level is the system property `plugin.<id>.log.level`, INFO unless set. */
    static void install(PluginDescriptor plugin) {
        String level = System.getProperty("plugin." + plugin.id() + ".log.level", "INFO");
        StderrLog log = new StderrLog(LEVELS.indexOf(level.toLowerCase(Locale.ROOT)));
        Logger.initialize((LoggingService) Proxy.newProxyInstance(
                StderrLog.class.getClassLoader(), new Class<?>[] {LoggingService.class}, log::write));
    }

    private Object write(Object proxy, Method level, Object[] call) {
        if (LEVELS.indexOf(level.getName()) >= least) {
            Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
            System.err.println(now + " " + level.getName().toUpperCase(Locale.ROOT) + " " + call[2]);
            if (call.length > 3 && call[3] instanceof Throwable failure) {
                failure.printStackTrace();
            }
        }
        return null;
    }
}
