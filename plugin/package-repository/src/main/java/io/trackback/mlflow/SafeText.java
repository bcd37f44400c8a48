package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CodingErrorAction;
import java.util.regex.Pattern;

/** Text from MLflow made safe to hand to GoCD, which puts it into environments, logs and its database. */
final class SafeText {
    // Control characters, and those that end a line or turn its direction on a page.
    private static final Pattern MISLEADING =
            Pattern.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]");
    private static final int LIMIT = 4096;
    // The width of GoCD's column for a user.
    private static final int USER_LIMIT = 255;

    private SafeText() {}

    static String text(String text) {
        return cut(broken(text), LIMIT);
    }

    static String user(String text) {
        return cut(broken(text), USER_LIMIT);
    }

    private static String broken(String text) {
        // GoCD would put a secret of its own in the place of such a reference.
        return MISLEADING.matcher(text).replaceAll("").replace("{{SECRET:", "{ {SECRET:");
    }

    /** At most `bytes` bytes of UTF-8, never half a character. */
    private static String cut(String text, int bytes) {
        ByteBuffer kept = ByteBuffer.allocate(bytes);
        UTF_8.newEncoder().onMalformedInput(CodingErrorAction.REPLACE).encode(CharBuffer.wrap(text), kept, true);
        return new String(kept.array(), 0, kept.position(), UTF_8);
    }
}
