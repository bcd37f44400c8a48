package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CodingErrorAction;
import java.util.regex.Pattern;

/** Text of MLflow's users, made safe for GoCD's environment variables, logs and database columns. */
final class SafeText {
    // Control characters, line separators, and marks of direction.
    private static final Pattern MISLEADING =
            Pattern.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]");
    private static final int LIMIT = 4096;
    // The width of GoCD's database column for a user.
    private static final int USER_LIMIT = 255;

    private SafeText() {}

    static String text(String text) {
        return cut(broken(text), LIMIT);
    }

    static String user(String text) {
        return cut(broken(text), USER_LIMIT);
    }

    private static String broken(String text) {
        // GoCD would replace such a reference by one of its own secrets.
        return MISLEADING.matcher(text).replaceAll("").replace("{{SECRET:", "{ {SECRET:");
    }

    /** At most `bytes` bytes of UTF-8, without half a character. */
    private static String cut(String text, int bytes) {
        ByteBuffer kept = ByteBuffer.allocate(bytes);
        UTF_8.newEncoder().onMalformedInput(CodingErrorAction.REPLACE).encode(CharBuffer.wrap(text), kept, true);
        return new String(kept.array(), 0, kept.position(), UTF_8);
    }
}
