package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CodingErrorAction;

/** Text from MLflow made safe to hand to GoCD, which puts it into environments, logs and its database. */
final class Plain {
    private static final int LIMIT = 4096;
    // The width of GoCD's column for a user.
    private static final int USER_LIMIT = 255;

    private Plain() {}

    static String text(String text) {
        return cut(broken(text), LIMIT);
    }

    static String user(String text) {
        return cut(broken(text), USER_LIMIT);
    }

    private static String broken(String text) {
        StringBuilder plain = new StringBuilder();
        text.codePoints().filter(point -> !Character.isISOControl(point)).forEach(plain::appendCodePoint);
        // GoCD would put a secret of its own in the place of such a reference.
        return plain.toString().replace("{{SECRET:", "{ {SECRET:");
    }

    /** At most `bytes` bytes of UTF-8, never half a character. */
    private static String cut(String text, int bytes) {
        ByteBuffer kept = ByteBuffer.allocate(bytes);
        UTF_8.newEncoder().onMalformedInput(CodingErrorAction.REPLACE).encode(CharBuffer.wrap(text), kept, true);
        return new String(kept.array(), 0, kept.position(), UTF_8);
    }
}
