package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.google.gson.JsonPrimitive;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.stream.Stream;

/** A valid reply with some values that no MLflow sends, and the expected outcome. */
record HostileValue(String name, Endpoint endpoint, Expect expect, UnaryOperator<String> edit) {

    enum Expect {
        REFUSED,
        /** The same as without promotions. */
        NOTHING,
        REVISION
    }

    @Override
    public String toString() {
        return endpoint + " with " + name + ": " + expect;
    }

    byte[] body() {
        String valid = HostileBody.planted(endpoint);
        String hostile = edit.apply(valid);
        assertNotEquals(valid, hostile, "the row changes nothing");
        return hostile.getBytes(UTF_8);
    }

    /** One row a text: it replaces every value of the key. */
    static Stream<HostileValue> texts(Endpoint endpoint, Expect expect, String key, String... texts) {
        return Stream.of(texts)
                .map(text -> new HostileValue(key + " " + shown(text), endpoint, expect, valid -> set(valid, key,
                        quoted(text))));
    }

    /** One row a piece of JSON: it replaces every value of the key. */
    static Stream<HostileValue> values(Endpoint endpoint, Expect expect, String key, String... values) {
        return Stream.of(values)
                .map(value -> new HostileValue(key + " " + value, endpoint, expect, valid -> set(valid, key, value)));
    }

    static HostileValue edit(Endpoint endpoint, Expect expect, String name, String pattern, String replacement) {
        return new HostileValue(name, endpoint, expect, valid -> valid.replaceAll(pattern, replacement));
    }

    /** The replaced value moves to the key `was_<key>`, which no record reads. */
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
