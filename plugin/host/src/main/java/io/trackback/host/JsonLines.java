package io.trackback.host;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.PrintStream;

/** Reads and writes one JSON object a line; `write` may be called by any thread. */
final class JsonLines {
    private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();

    private final PrintStream out;

    JsonLines(PrintStream out) {
        this.out = out;
    }

    synchronized void write(Object answer) {
        out.println(GSON.toJson(answer));
        out.flush();
    }

    static <T> T read(String line, Class<T> shape) {
        return GSON.fromJson(line, shape);
    }

    static String oneLine(Throwable failure) {
        String message = failure.getMessage();
        return message == null ? failure.getClass().getName() : message.replaceAll("\\s*\\R\\s*", " ").strip();
    }
}
