package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads JSON by the grammar of RFC 8259, without code of the plugin or of Gson. Also reads texts that stricter parsers
 * refuse, such as a key with half a surrogate pair, because the plugin may skip them.
 */
final class IndependentReader {
    private static final Pattern BLANKS = Pattern.compile("[ \\t\\r\\n]*");
    private static final Pattern NUMBER = Pattern.compile("-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?");
    private static final Pattern ESCAPE = Pattern.compile("\\\\(?:([\"\\\\/bfnrt])|u([0-9a-fA-F]{4}))");
    private static final Map<String, String> ESCAPED = Map.of("b", "\b", "f", "\f", "n", "\n", "r", "\r", "t", "\t");
    private static final int DEPTH = 300;
    private static final Value NONE = new Value(null);

    private final String text;
    private final Matcher at;
    private int position;

    private IndependentReader(String text) {
        this.text = text;
        this.at = BLANKS.matcher(text);
    }

    /** Raised for text that is not JSON. */
    static final class NoJson extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** A part of a reply. One that is absent, or whose key is there twice, is a part without content. */
    record Value(Object content) {
        Value get(String key) {
            return content instanceof Map<?, ?> map && map.get(key) instanceof Value value ? value : NONE;
        }

        Value get(String key, String next) {
            return get(key).get(next);
        }

        List<Value> list() {
            return content instanceof List<?> list ? list.stream().map(Value.class::cast).toList() : List.of();
        }

        Optional<String> text() {
            return content instanceof String text ? Optional.of(text) : Optional.empty();
        }

        Optional<BigDecimal> number() {
            return content instanceof BigDecimal number ? Optional.of(number) : Optional.empty();
        }

        boolean is(String expected) {
            return expected.equals(content);
        }
    }

    /** Without content unless the bytes are one JSON document in UTF-8. */
    static Value of(byte[] bytes) {
        try {
            String text = UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            IndependentReader reader = new IndependentReader(text.startsWith("\ufeff") ? text.substring(1) : text);
            Value whole = reader.value(0);
            reader.take(BLANKS);
            return reader.position == reader.text.length() ? whole : NONE;
        } catch (CharacterCodingException | NoJson unreadable) {
            return NONE;
        }
    }

    private Value value(int depth) {
        take(BLANKS);
        if (position == text.length() || depth > DEPTH) {
            throw new NoJson();
        }
        return new Value(switch (text.charAt(position)) {
            case '{' -> object(depth);
            case '[' -> list(depth);
            case '"' -> string();
            case 't' -> word("true", true);
            case 'f' -> word("false", false);
            case 'n' -> word("null", null);
            default -> new BigDecimal(take(NUMBER));
        });
    }

    private Object word(String word, Object meaning) {
        expect(word);
        return meaning;
    }

    private Map<String, Value> object(int depth) {
        Map<String, Value> object = new HashMap<>();
        expect("{");
        if (!next("}")) {
            do {
                take(BLANKS);
                String key = string();
                take(BLANKS);
                expect(":");
                Value value = value(depth + 1);
                object.merge(key, value, (one, other) -> NONE);
            } while (next(","));
            expect("}");
        }
        return object;
    }

    private List<Value> list(int depth) {
        List<Value> list = new ArrayList<>();
        expect("[");
        if (!next("]")) {
            do {
                list.add(value(depth + 1));
            } while (next(","));
            expect("]");
        }
        return list;
    }

    private String string() {
        expect("\"");
        StringBuilder string = new StringBuilder();
        while (!text.startsWith("\"", position)) {
            if (position == text.length()) {
                throw new NoJson();
            }
            string.append(text.charAt(position) == '\\' ? unescaped(take(ESCAPE)) : text.charAt(position++));
        }
        position++;
        return string.toString();
    }

    private static String unescaped(String escape) {
        return escape.length() > 2
                ? String.valueOf((char) Integer.parseInt(escape.substring(2), 16))
                : ESCAPED.getOrDefault(escape.substring(1), escape.substring(1));
    }

    private boolean next(String sign) {
        take(BLANKS);
        if (!text.startsWith(sign, position)) {
            return false;
        }
        position += sign.length();
        return true;
    }

    private void expect(String sign) {
        if (!next(sign)) {
            throw new NoJson();
        }
    }

    private String take(Pattern wanted) {
        at.usePattern(wanted).region(position, text.length());
        if (!at.lookingAt()) {
            throw new NoJson();
        }
        position = at.end();
        return at.group();
    }
}
