package io.trackback.mlflow;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The value that `trackback promote` gives the promoting tag: `<sequence> <UTC time> <who>`. */
record TagValue(int sequence, Instant at, String who) {
    private static final Pattern WRITTEN = Pattern.compile(
            "([1-9][0-9]{0,8}) ((?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})Z (\\S.*)",
            Pattern.UNIX_LINES | Pattern.UNICODE_CHARACTER_CLASS);

    /** Empty for any other value, such as one typed in MLflow's UI. */
    static Optional<TagValue> parse(String text) {
        Matcher written = WRITTEN.matcher(text);
        if (!written.matches()) {
            return Optional.empty();
        }
        try {
            Instant at = LocalDateTime.parse(written.group(2)).toInstant(ZoneOffset.UTC);
            return Optional.of(new TagValue(Integer.parseInt(written.group(1)), at, written.group(3)));
        } catch (DateTimeException noSuchTime) {
            return Optional.empty();
        }
    }
}
