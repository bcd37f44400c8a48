package io.trackback.mlflow;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import java.io.FilterReader;
import java.io.IOException;
import java.io.Reader;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;

/**
 * A JsonReader that raises MalformedJsonException for a key twice in one object (two readers may take different
 * values), for another type than is asked for, and for more or longer values than fit into 64 MB of heap. Values that
 * no record has a field for are skipped and not counted.
 */
final class StrictJsonReader extends JsonReader {
    // 8 MiB of MLflow's JSON, which is indented, hold no more.
    private static final int VALUES = 100_000;
    private static final int NAMES = 1_000;
    // Characters. MLflow limits a tag's value to 8,000; older versions did not.
    private static final int TEXT = 1 << 20;

    private final Characters in;
    private final Deque<Set<String>> names = new ArrayDeque<>();
    private int values;

    StrictJsonReader(Reader in) {
        this(new Characters(in));
    }

    private StrictJsonReader(Characters in) {
        super(in);
        this.in = in;
    }

    @Override
    public void beginObject() throws IOException {
        count();
        super.beginObject();
        names.push(new HashSet<>());
    }

    @Override
    public void endObject() throws IOException {
        super.endObject();
        names.pop();
    }

    @Override
    public void beginArray() throws IOException {
        count();
        super.beginArray();
    }

    @Override
    public void nextNull() throws IOException {
        count();
        super.nextNull();
    }

    @Override
    public String nextName() throws IOException {
        String name = text(super::nextName);
        if (!names.element().add(name) || names.element().size() > NAMES) {
            throw new MalformedJsonException("a key twice, or too many of them");
        }
        return name;
    }

    @Override
    public String nextString() throws IOException {
        require(JsonToken.STRING);
        return text(super::nextString);
    }

    @Override
    public long nextLong() throws IOException {
        require(JsonToken.NUMBER);
        return super.nextLong();
    }

    /** No record has a boolean; Gson would read one as a text. */
    @Override
    public boolean nextBoolean() throws IOException {
        throw new MalformedJsonException("true or false where a record has neither");
    }

    private void require(JsonToken expected) throws IOException {
        if (peek() != expected) {
            throw new MalformedJsonException("another type");
        }
    }

    private String text(Text text) throws IOException {
        in.left = TEXT;
        try {
            return text.next();
        } finally {
            in.left = Integer.MAX_VALUE;
        }
    }

    private void count() throws IOException {
        if (++values > VALUES) {
            throw new MalformedJsonException("too many values");
        }
    }

    private interface Text {
        String next() throws IOException;
    }

    /** Ends the reading in the middle of a text, which JsonReader would first collect as a whole. */
    private static final class Characters extends FilterReader {
        private int left = Integer.MAX_VALUE;

        Characters(Reader in) {
            super(in);
        }

        @Override
        public int read(char[] into, int offset, int length) throws IOException {
            int read = super.read(into, offset, length);
            left -= Math.max(read, 0);
            if (left < 0) {
                throw new MalformedJsonException("too long a text");
            }
            return read;
        }
    }
}
