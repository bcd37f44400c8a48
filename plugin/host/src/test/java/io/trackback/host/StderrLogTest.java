package io.trackback.host;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.thoughtworks.go.plugin.api.logging.Logger;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class StderrLogTest {
    private static final String SWITCH = "plugin.echo.log.level";
    private final PrintStream stderr = System.err;
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();

    @AfterEach
    void restore() {
        System.setErr(stderr);
        System.clearProperty(SWITCH);
        Logger.initialize(null);
    }

    private List<String> logged() {
        System.setErr(new PrintStream(written, true, UTF_8));
        StderrLog.install(new PluginDescriptor("echo", "1", "Echo"));
        Logger log = Logger.getLoggerFor(StderrLogTest.class, "echo");
        log.debug("asked");
        log.info("reports");
        log.error("failed", new IllegalStateException("why"));
        return written.toString(UTF_8).lines().toList();
    }

    @Test
    void debugIsLeftOutUnlessAskedFor() {
        List<String> lines = logged();
        assertTrue(lines.get(0).matches("[0-9T:.-]+Z INFO reports"), lines.get(0));
        assertTrue(lines.get(1).endsWith("Z ERROR failed"), lines.get(1));
        assertEquals("java.lang.IllegalStateException: why", lines.get(2));
    }

    @Test
    void gocdsSwitchForThePluginShowsDebug() {
        System.setProperty(SWITCH, "DEBUG");
        assertTrue(logged().get(0).endsWith("Z DEBUG asked"));
    }
}
