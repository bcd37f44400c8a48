package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.google.gson.JsonPrimitive;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.stream.Stream;

/** A sound reply in which some values are not MLflow's, and what has to come of it. */
record HostileValue(String name, Endpoint endpoint, Expect expect, UnaryOperator<String> edit) {

    enum Expect {
        REFUSED,
        /** As if nobody had promoted anything. */
        NOTHING,
        REVISION
    }

    @Override
    public String toString() {
        return endpoint + " with " + name + ": " + expect;
    }

    byte[] body() {
        String sound = HostileBody.planted(endpoint);
        String hostile = edit.apply(sound);
        assertNotEquals(sound, hostile, "the row changes nothing");
        return hostile.getBytes(UTF_8);
    }

    /** Every value of the key is one of these texts. */
    static Stream<HostileValue> texts(Endpoint endpoint, Expect expect, String key, String... texts) {
        return Stream.of(texts)
                .map(text -> new HostileValue(key + " " + shown(text), endpoint, expect, sound -> set(sound, key,
                        quoted(text))));
    }

    /** Every value of the key is one of these, as they stand. */
    static Stream<HostileValue> values(Endpoint endpoint, Expect expect, String key, String... values) {
        return Stream.of(values)
                .map(value -> new HostileValue(key + " " + value, endpoint, expect, sound -> set(sound, key, value)));
    }

    static HostileValue edit(Endpoint endpoint, Expect expect, String name, String pattern, String replacement) {
        return new HostileValue(name, endpoint, expect, sound -> sound.replaceAll(pattern, replacement));
    }

    /** What was there moves to a key that nobody looks at. */
    static String set(String json, String key, String value) {
        String before = "\"" + key + "\": ";
        return json.replaceAll(before, Matcher.quoteReplacement(before + value + ", \"was_" + key + "\": "));
    }

    static String quoted(String text) {
        return new JsonPrimitive(text).toString();
    }

    static String shown(String text) {
        StringBuilder shown = new StringBuilder("'");
        text.chars().limit(40).forEach(
                c -> shown.append(c >= 32 && c < 127 ? String.valueOf((char) c) : String.format("\\u%04x", c)));
        return shown + (text.length() > 40 ? "…' of " + text.length() : "'");
    }
}
