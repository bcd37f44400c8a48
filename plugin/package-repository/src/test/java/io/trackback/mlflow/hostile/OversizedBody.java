package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.function.IntFunction;
import java.util.stream.Stream;

/**
 * A body of just less than 8 MiB: `around`, with ' for " and copies of `piece` in place of …. It is written piece by
 * piece, because the test has the plugin's heap of 64 MB. Ł is beyond Latin-1, so Java keeps a text with it in two
 * bytes a character.
 */
record OversizedBody(String name, Endpoint endpoint, boolean refused, String around, IntFunction<String> piece) {
    private static final int BYTES = (8 << 20) - 2000;
    private static final IntFunction<String> TEXT = i -> "x".repeat(1000);

    @Override
    public String toString() {
        return name;
    }

    void write(OutputStream socket) throws IOException {
        OutputStream out = new BufferedOutputStream(socket, 1 << 16);
        int place = around.indexOf('…');
        out.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".getBytes(UTF_8));
        out.write(json(around.substring(0, place)));
        int left = BYTES;
        for (int i = 0; left > 0; i++) {
            byte[] bytes = json(piece.apply(i));
            out.write(bytes);
            left -= bytes.length;
        }
        out.write(json(around.substring(place + 1)));
        out.flush();
    }

    private static byte[] json(String text) {
        return text.replace('\'', '"').getBytes(UTF_8);
    }

    static Stream<OversizedBody> all() {
        return Stream.of(texts(), things(), runs()).flatMap(rows -> rows);
    }

    private static Stream<OversizedBody> texts() {
        return Stream.of(
                refused("an id of 8 MiB", Endpoint.EXPERIMENT, "{'experiment':{'experiment_id':'Ł…'}}", TEXT),
                refused("an id in escapes", Endpoint.EXPERIMENT, "{'experiment':{'experiment_id':'…'}}",
                        i -> "\\u0141"),
                refused("a page token of 8 MiB", Endpoint.RUNS, "{'next_page_token':'Ł…'}", TEXT),
                refused("a tag's key of 8 MiB", Endpoint.RUNS, "{'runs':[{'data':{'tags':[{'key':'Ł…'}]}}]}", TEXT),
                refused("a tag's value of 8 MiB", Endpoint.RUNS, "{'runs':[{'data':{'tags':[{'value':'Ł…'}]}}]}",
                        TEXT),
                refused("a run's id of 8 MiB", Endpoint.RUNS, "{'runs':[{'info':{'run_id':'Ł…'}}]}", TEXT),
                refused("an id that never ends", Endpoint.RUNS, "{'runs':[{'info':{'run_id':'Ł…", TEXT),
                refused("a time of 8 MiB", Endpoint.RUNS, "{'runs':[{'info':{'end_time':'Ł…'}}]}", TEXT),
                refused("a number of 8 MiB", Endpoint.RUNS, "{'runs':[{'info':{'end_time':…1}}]}",
                        i -> "1".repeat(99)),
                refused("a key of 8 MiB", Endpoint.RUNS, "{'Ł…':1}", TEXT),
                refused("a text of 8 MiB in place of everything", Endpoint.RUNS, "'Ł…'", TEXT),
                skipped("a text of 8 MiB where nobody looks", "{'x':'Ł…'}", TEXT),
                skipped("8 MiB of blanks", "…{}", i -> " ".repeat(1000)));
    }

    private static Stream<OversizedBody> things() {
        String outputs = "{'runs':[{'outputs':{'model_outputs':[…{}]}}]}";
        return Stream.of(
                refused("millions of empty runs", Endpoint.RUNS, "{'runs':[…{}]}", i -> "{},"),
                refused("millions of nulls", Endpoint.RUNS, "{'runs':[…null]}", i -> "null,"),
                refused("millions of empty tags", Endpoint.RUNS, "{'runs':[{'data':{'tags':[…{}]}}]}", i -> "{},"),
                refused("millions of empty outputs", Endpoint.RUNS, outputs, i -> "{},"),
                refused("millions of empty models", Endpoint.MODELS, "{'models':[…{}]}", i -> "{},"),
                refused("millions of lists", Endpoint.RUNS, "{'runs':[…{}]}", i -> "[],"),
                refused("a million distinct keys", Endpoint.RUNS, "{…'k':1}", i -> "'k" + i + "':1,"),
                refused("thousands of long keys", Endpoint.RUNS, "{…'k':1}", i -> "'Ł" + TEXT.apply(i) + i + "':1,"),
                refused("millions of levels", Endpoint.RUNS, "{'runs':…", i -> "["),
                skipped("millions of objects where nobody looks", "{'x':[…{}]}", i -> "{},"),
                skipped("a million distinct keys where nobody looks", "{'x':{…'k':1}}", i -> "'k" + i + "':1,"));
    }

    private static Stream<OversizedBody> runs() {
        String tag = "{'key':'Ł%1$d','value':'Ł%1$d'},";
        String run = "{'info':{'run_id':'%032x','experiment_id':'1','status':'FINISHED'},"
                + "'data':{'tags':[{'key':'promote','value':'%s'}]}},";
        return Stream.of(
                refused("as many tagged runs as fit", Endpoint.RUNS, "{'runs':[…{}]}",
                        i -> String.format(run, i, "yes")),
                refused("as many written promotions as fit", Endpoint.RUNS, "{'runs':[…{}]}",
                        i -> String.format(run, i, i + 1 + " 2026-11-22T08:00:00Z ada")),
                refused("as many tags as fit", Endpoint.RUNS, "{'runs':[{'data':{'tags':[…{}]}}]}",
                        i -> String.format(tag, i)));
    }

    private static OversizedBody refused(String name, Endpoint endpoint, String around, IntFunction<String> piece) {
        return new OversizedBody(name, endpoint, true, around, piece);
    }

    /** A reply without runs. */
    private static OversizedBody skipped(String name, String around, IntFunction<String> piece) {
        return new OversizedBody(name, Endpoint.RUNS, false, around, piece);
    }
}
