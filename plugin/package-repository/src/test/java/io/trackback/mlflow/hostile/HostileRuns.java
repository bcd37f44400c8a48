package io.trackback.mlflow.hostile;

import static io.trackback.mlflow.hostile.HostileValue.quoted;
import static io.trackback.mlflow.hostile.HostileValue.set;
import static io.trackback.mlflow.hostile.HostileValue.texts;
import static io.trackback.mlflow.hostile.HostileValue.values;

import io.trackback.mlflow.hostile.HostileValue.Expect;
import java.util.stream.Stream;

/** What a hostile server may say about an experiment and its runs. */
final class HostileRuns {
    private static final String ID = "0123456789abcdef0123456789abcdef";
    private static final String WRITTEN = "7 2026-11-22T10:00:00Z ";

    private HostileRuns() {}

    static Stream<HostileValue> all() {
        return Stream.of(experiments(), ids(), statuses(), times(), bareTexts(), writtenTexts(), lists(), keys(),
                outputs())
                .flatMap(rows -> rows);
    }

    private static Stream<HostileValue> experiments() {
        return Stream.of(
                        texts(Endpoint.EXPERIMENT, Expect.REFUSED, "experiment_id",
                                "", "x", "-1", "1/../2", "1\n", "\u0661", "1".repeat(21), GocdAnswer.CANARY),
                        values(Endpoint.EXPERIMENT, Expect.REFUSED, "experiment_id",
                                "null", "1", "true", "[\"1\"]", "{}"),
                        values(Endpoint.EXPERIMENT, Expect.REFUSED, "experiment", "null", "7", "[]", "{}", "\"x\""),
                        texts(Endpoint.EXPERIMENT, Expect.REFUSED, "lifecycle_stage", "deleted"))
                .flatMap(rows -> rows);
    }

    private static Stream<HostileValue> ids() {
        return Stream.of(
                        texts(Endpoint.RUNS, Expect.NOTHING, "run_id",
                                "", ID.toUpperCase(), ID.substring(1), ID + "0", "../" + ID.substring(3), ID + "\n",
                                ID.replace('0', '\u0660'), "m-" + ID, GocdAnswer.CANARY),
                        values(Endpoint.RUNS, Expect.NOTHING, "run_id", "null"),
                        values(Endpoint.RUNS, Expect.REFUSED, "run_id", "1".repeat(32), "true", "[]", "{}"),
                        texts(Endpoint.RUNS, Expect.NOTHING, "experiment_id",
                                "", "x", "-1", "1/../1", "1\n", "\u0661", "2", GocdAnswer.CANARY),
                        values(Endpoint.RUNS, Expect.REFUSED, "experiment_id", "1", "[\"1\"]"))
                .flatMap(rows -> rows);
    }

    private static Stream<HostileValue> statuses() {
        return Stream.of(
                        texts(Endpoint.RUNS, Expect.NOTHING, "status",
                                "", "RUNNING", "RUNNINg", "finished", "FINISHED ", "UNKNOWN"),
                        values(Endpoint.RUNS, Expect.NOTHING, "status", "null"),
                        values(Endpoint.RUNS, Expect.REFUSED, "status", "true", "3", "[\"FINISHED\"]"))
                .flatMap(rows -> rows);
    }

    /** For bare tags, whose time is the end of their run. */
    private static Stream<HostileValue> times() {
        Stream<String> possible = Stream.of(
                "4070908800000", "0", "-1", "1", "1e3", "253402300800000", "9223372036854775807",
                "-9223372036854775808");
        Stream<String> impossible = Stream.of(
                "null", "\"1795334460000\"", "\"soon\"", "1e400", "-1e400", "NaN", "Infinity", "1.5", "0x10",
                "99999999999999999999", "[]", "{}", "true");
        return Stream.concat(
                possible.map(time -> bareTag(time, Expect.REVISION)), impossible.map(time -> bareTag(time,
                        Expect.REFUSED)));
    }

    private static HostileValue bareTag(String time, Expect expect) {
        return new HostileValue("a bare tag and times " + time, Endpoint.RUNS, expect, valid ->
                set(set(set(valid, "value", "\"yes\""), "end_time", time), "start_time", time));
    }

    private static Stream<HostileValue> bareTexts() {
        return Stream.of(
                        "", " ", "a\nb", "a\r\nb\n", "NUL \0 NUL", "\u001b[31mred\u001b[0m", "\u0085\u009f",
                        "line\u2028line\u2029",
                        "$(touch x)", "`touch x`", "${PATH} %PATH% #{x}", "{{SECRET:[a][b]}}", "{{SEC\0RET:[a][b]}}",
                        "{\u200e{\u202eSECRET\u0007:[a][b]}}", "{{{{SECRET:{{SECRET:[a][b]}}[b]}}",
                        "{{SECRET:".repeat(800),
                        "\u202egnp.exe", "\u200f\u061c\u2066x\u2069", "half \ud83d", "\udc22 half", "\ufeffx",
                        "x".repeat(8000), "\u00e9".repeat(8000), "\ud83d\udc22".repeat(4000))
                .map(HostileRuns::text);
    }

    private static Stream<HostileValue> writtenTexts() {
        return Stream.of(
                        WRITTEN + "u".repeat(300), WRITTEN + "\ud83d\udc22".repeat(128),
                        WRITTEN + "\ud83d\udc22".repeat(1000),
                        WRITTEN + "\u0301".repeat(300), WRITTEN + "{{SECRET:[a][b]}}", WRITTEN + "\u202e",
                        WRITTEN + "\ud83d",
                        WRITTEN + "ada\0\u001b[1m", WRITTEN + "ada\nbob", "999999999 9999-12-31T23:59:59Z ada",
                        "9999999999 2026-11-22T10:00:00Z ada", "0 2026-11-22T10:00:00Z ada",
                        "-1 2026-11-22T10:00:00Z ada",
                        "1 0000-01-01T00:00:00Z ada", "1 0001-01-01T00:00:00Z ada", "1 2026-02-30T10:00:00Z ada")
                .map(HostileRuns::text);
    }

    /** The text in the tag, the reason and the run's name together. */
    private static HostileValue text(String text) {
        return new HostileValue("the text " + HostileValue.shown(text), Endpoint.RUNS, Expect.REVISION, valid ->
                set(set(valid, "value", quoted(text)), "run_name", quoted(text)));
    }

    private static Stream<HostileValue> lists() {
        String runs = "(?s)\"runs\": \\[(.*)]\\s*}";
        return Stream.of(
                edit(Expect.NOTHING, "no runs", "(?s).+", "{}"),
                edit(Expect.NOTHING, "runs that are null", runs, "\"runs\": null}"),
                edit(Expect.NOTHING, "runs that are nothing", runs, "\"runs\": [null, {}, {\"info\": null}]}"),
                edit(Expect.REFUSED, "runs that are an object", runs, "\"runs\": {}}"),
                edit(Expect.REFUSED, "runs that are a text", runs, "\"runs\": \"" + GocdAnswer.CANARY + "\"}"),
                edit(Expect.REFUSED, "runs in a list in the list", runs, "\"runs\": [[$1]]}"),
                edit(Expect.REFUSED, "numbers in place of runs", runs, "\"runs\": [1, 2]}"),
                edit(Expect.REVISION, "200 runs", runs, "\"runs\": [" + "$1,".repeat(49) + "$1]}"),
                edit(Expect.REFUSED, "204 runs, more than were asked for", runs,
                        "\"runs\": [" + "$1,".repeat(50) + "$1]}"),
                edit(Expect.REFUSED, "data that are a list", "\"data\": \\{", "\"data\": [], \"x\": {"),
                edit(Expect.REFUSED, "a tag in a list", "\"tags\": \\[", "\"tags\": [[],"),
                edit(Expect.REVISION, "a null among the tags", "\"tags\": \\[", "\"tags\": [null, {},"));
    }

    private static Stream<HostileValue> keys() {
        return Stream.of(
                edit(Expect.REFUSED, "two ids of a run", "(\"run_id\": \"[0-9a-f]+\")", "$1,$1"),
                edit(Expect.REFUSED, "two values of a tag", "(\"value\": \"true\")", "$1,$1"),
                edit(Expect.NOTHING, "no ids", "\"run_id\"", "\"run\""),
                edit(Expect.NOTHING, "no info", "\"info\"", "\"information\""),
                edit(Expect.NOTHING, "no status", "\"status\"", "\"state\""),
                edit(Expect.NOTHING, "no data", "\"data\"", "\"values\""),
                edit(Expect.NOTHING, "no tags", "\"tags\"", "\"labels\""),
                edit(Expect.NOTHING, "tags without keys", "\"key\"", "\"name\""),
                edit(Expect.NOTHING, "tags without values", "\"value\"", "\"worth\""),
                edit(Expect.NOTHING, "a tag that is almost the one", "\"promote\"", "\"Promote\""),
                edit(Expect.NOTHING, "a tag with a blank", "\"promote\"", "\"promote \""));
    }

    private static Stream<HostileValue> outputs() {
        String model = "(\\{\\s*\"model_id\": \"m-a3[a-z0-9]+\",\\s*\"step\": 0\\s*})";
        return Stream.of(
                edit(Expect.REVISION, "outputs that are null", "\"outputs\": \\{", "\"outputs\": null, \"x\": {"),
                edit(Expect.REFUSED, "outputs that are a list", "\"outputs\": \\{", "\"outputs\": [], \"x\": {"),
                edit(Expect.REVISION, "outputs of nothing", "\"model_outputs\": \\[", "\"model_outputs\": [null, {},"),
                edit(Expect.REVISION, "models with strange ids", "\"m-a", "\"m-'; DROP TABLE"),
                edit(Expect.REVISION, "a thousand models of a run", model, "$1" + ",$1".repeat(999)));
    }

    private static HostileValue edit(Expect expect, String name, String pattern, String replacement) {
        return HostileValue.edit(Endpoint.RUNS, expect, name, pattern, replacement);
    }
}
