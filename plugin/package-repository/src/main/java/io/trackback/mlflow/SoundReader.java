package io.trackback.mlflow;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.MalformedJsonException;
import java.io.IOException;
import java.io.Reader;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;

/**
 * Refuses JSON that no MLflow sends: a key twice in one object, of which another reader might take the other value, and more
 * objects than fit into memory. What a record does not ask for is skipped and never counted.
 */
final class SoundReader extends JsonReader {
    private static final int VALUES = 200_000;
    private static final int NAMES = 1_000;

    private final Deque<Set<String>> names = new ArrayDeque<>();
    private int values;

    SoundReader(Reader in) {
        super(in);
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
        String name = super.nextName();
        if (!names.element().add(name) || names.element().size() > NAMES) {
            throw new MalformedJsonException("a key twice, or too many of them");
        }
        return name;
    }

    private void count() throws IOException {
        if (++values > VALUES) {
            throw new MalformedJsonException("too many values");
        }
    }
}
