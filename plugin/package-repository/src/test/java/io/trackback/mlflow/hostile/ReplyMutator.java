package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Mutates a reply one to three times; a seed gives the same mutations each time. */
final class ReplyMutator {
    private static final int REPEATED_BYTES = 50_000;
    private static final String TWICE = "@twice@";
    private static final List<String> TEXTS = List.of(
            "", " ", "true", "promote", "FINISHED", "RUNNING", "deleted", "RESOURCE_DOES_NOT_EXIST", "1", "2", "-1",
            "model",
            "7 2026-11-22T10:00:00Z ada", "999999999 9999-12-31T23:59:59Z ada",
            "7 2026-11-22T10:00:00Z " + "\ud83d\udc22".repeat(300),
            "0".repeat(32), "02".repeat(16), "AB".repeat(16), "0".repeat(31), "../" + "0".repeat(29),
            "02".repeat(16) + "\n", "m-" + "a3".repeat(16),
            "models:/price/1", "models:/m-" + "a1".repeat(16), "s3://user:password@bucket/x", "file:///x/../../etc",
            "http://elsewhere/",
            "line\nline", "NUL \0", "\u001b[31mred\u001b[0m", "$(touch x)", "`touch x`", "{{SECRET:[a][b]}}",
            "{{SEC\0RET:[a][b]}}",
            "{{\u202eSECRET:[a][b]}}", "\u2066\u200f\u061c", "\ud83d", "\udc22x", "x".repeat(8000),
            "\u0141".repeat(8000), "eyJvZmZzZXQiOiAzfQ==");
    private static final List<String> NUMBERS = List.of(
            "0", "1", "-1", "4070908800000", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
            "1e3", "1.5", "1e400", "1E-9");
    private static final byte[][] INSERTED = {
        {0}, {(byte) 0xff}, {(byte) 0xc0, (byte) 0xaf}, {(byte) 0xed, (byte) 0xa0, (byte) 0x80},
                {'"'}, {'\\'}, {'{'}, {'}'}, {'['}, {','}, {'\n'},
        "null".getBytes(UTF_8), "\\u0000".getBytes(UTF_8), "\\ud83d".getBytes(UTF_8), "/**/".getBytes(UTF_8),
        "\ufeff".getBytes(UTF_8)
    };

    private final Random random;

    ReplyMutator(long seed) {
        random = new Random(seed);
    }

    int below(int bound) {
        return random.nextInt(bound);
    }

    <T> T pick(List<T> all) {
        return all.get(below(all.size()));
    }

    byte[] mutated(byte[] reply) {
        byte[] mutated = reply;
        for (int left = 1 + below(2) * below(3); left > 0; left--) {
            mutated = random.nextBoolean() ? mutatedBytes(mutated) : mutatedJson(mutated);
        }
        return mutated;
    }

    private byte[] mutatedBytes(byte[] reply) {
        if (reply.length == 0) {
            return pick(List.of(INSERTED));
        }
        int from = below(reply.length);
        int to = Math.min(reply.length, from + 1 + below(1 << below(8)));
        return switch (below(6)) {
            case 0 -> flipped(reply, from);
            case 1 -> overwritten(reply, from);
            case 2 -> joined(reply, 0, from, new byte[0], to);
            case 3 -> joined(reply, 0, from, pick(List.of(INSERTED)), from);
            case 4 -> Arrays.copyOf(reply, from);
            default -> joined(reply, 0, to, new byte[0], from);
        };
    }

    private byte[] flipped(byte[] reply, int at) {
        byte[] flipped = reply.clone();
        flipped[at] ^= (byte) (1 << below(8));
        return flipped;
    }

    private byte[] overwritten(byte[] reply, int at) {
        byte[] overwritten = reply.clone();
        overwritten[at] = (byte) below(256);
        return overwritten;
    }

    /** reply[start:end] + between + reply[rest:]. */
    private static byte[] joined(byte[] reply, int start, int end, byte[] between, int rest) {
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        joined.write(reply, start, end - start);
        joined.writeBytes(between);
        joined.write(reply, rest, reply.length - rest);
        return joined.toByteArray();
    }

    /** The reply itself when it is no JSON. */
    private byte[] mutatedJson(byte[] reply) {
        try {
            JsonElement root = JsonParser.parseString(new String(reply, UTF_8));
            List<JsonElement> places = new ArrayList<>();
            collect(root, places);
            if (!places.isEmpty()) {
                mutate(pick(places));
            }
            return root.toString().replace(TWICE, "").getBytes(UTF_8);
        } catch (JsonParseException | NumberFormatException | StackOverflowError noJson) {
            return reply;
        }
    }

    /** Collects all objects and lists that are not empty. */
    private static void collect(JsonElement element, List<JsonElement> into) {
        if (element.isJsonObject() && !element.getAsJsonObject().isEmpty()) {
            into.add(element);
            element.getAsJsonObject().asMap().values().forEach(child -> collect(child, into));
        } else if (element.isJsonArray() && !element.getAsJsonArray().isEmpty()) {
            into.add(element);
            element.getAsJsonArray().forEach(child -> collect(child, into));
        }
    }

    private void mutate(JsonElement place) {
        if (place.isJsonArray()) {
            mutate(place.getAsJsonArray());
        } else {
            mutate(place.getAsJsonObject());
        }
    }

    private void mutate(JsonArray list) {
        int at = below(list.size());
        switch (below(4)) {
            case 0 -> list.remove(at);
            case 1 -> list.set(at, replaced(list.get(at)));
            case 2 -> list.add(list.get(below(list.size())).deepCopy());
            default -> {
                JsonElement repeated = list.get(at);
                int most = REPEATED_BYTES / (repeated.toString().length() + 1);
                for (int left = Math.min(most, 1 << below(12)); left > 0; left--) {
                    list.add(repeated);
                }
            }
        }
    }

    private void mutate(JsonObject object) {
        String key = pick(List.copyOf(object.keySet()));
        JsonElement value = object.get(key);
        switch (below(5)) {
            case 0 -> object.remove(key);
            case 1 -> object.add(key + TWICE, random.nextBoolean() ? value : replaced(value));
            case 2 -> {
                object.remove(key);
                object.add(random.nextBoolean() ? pick(TEXTS) : key.toUpperCase(), value);
            }
            case 3 -> {
                String other = pick(List.copyOf(object.keySet()));
                object.add(key, object.get(other));
                object.add(other, value);
            }
            default -> object.add(key, replaced(value));
        }
    }

    /** Mostly of the same type, because another type ends the reading. */
    private JsonElement replaced(JsonElement value) {
        if (value.isJsonPrimitive() && below(4) > 0) {
            return value.getAsJsonPrimitive().isString() ? new JsonPrimitive(pick(TEXTS)) : number();
        }
        return switch (below(8)) {
            case 0 -> JsonNull.INSTANCE;
            case 1 -> new JsonPrimitive(random.nextBoolean());
            case 2 -> number();
            case 3 -> new JsonPrimitive(pick(TEXTS));
            case 4 -> new JsonArray();
            case 5 -> new JsonObject();
            case 6 -> wrapped(value);
            default -> new JsonPrimitive(value.toString());
        };
    }

    private static JsonArray wrapped(JsonElement value) {
        JsonArray list = new JsonArray();
        list.add(value);
        return list;
    }

    private JsonPrimitive number() {
        return new JsonPrimitive(new BigDecimal(pick(NUMBERS)));
    }
}
