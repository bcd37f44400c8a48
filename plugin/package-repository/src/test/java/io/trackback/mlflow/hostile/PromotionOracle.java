package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.trackback.mlflow.GocdReader.Modification;
import io.trackback.mlflow.hostile.IndependentReader.Value;
import java.math.BigDecimal;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** The promotions in the replies, found without code of the plugin; a revision of any other is an error. */
record PromotionOracle(Map<Endpoint, List<Value>> replies) {
    private static final Set<String> FINISHED = Set.of("FINISHED", "FAILED", "KILLED");
    // The end of the year 9999.
    private static final BigDecimal LAST_TIME_OF_GOCD = new BigDecimal("253402300799999");

    static PromotionOracle of(Map<Endpoint, List<byte[]>> replies) {
        Map<Endpoint, List<Value>> read = new HashMap<>();
        replies.forEach((endpoint, pages) -> read.put(endpoint, pages.stream().map(IndependentReader::of).toList()));
        return new PromotionOracle(read);
    }

    /** `before` is SEEN of the previous revision, empty at a first poll. */
    void assertSupports(Modification revision, String before) {
        Map<String, String> promotions = replies.containsKey(Endpoint.ALIAS) ? ofAlias() : ofTags();
        Set<String> reported = ids(revision.data().get("SEEN"));
        if (!before.isEmpty()) {
            reported.removeAll(ids(before));
            assertEquals(1, reported.size(), "something new, and no more than one, not " + reported);
        }
        assertTrue(promotions.keySet().containsAll(reported), "promotions that nobody made: " + reported);
        String run = revision.data().get("RUN_ID");
        assertTrue(reported.stream().anyMatch(id -> run.equals(promotions.get(id))), "run " + run + " is not promoted");
        String model = revision.data().get("MODEL_ID");
        assertTrue(model.isEmpty() || models(run).contains(model), model + " is no model of run " + run);
    }

    private static Set<String> ids(String seen) {
        return new HashSet<>(Arrays.asList(seen.split(" ")));
    }

    /** Run ids, by the ids of their promotions. */
    private Map<String, String> ofTags() {
        String experiment = first(Endpoint.EXPERIMENT).get("experiment").get("experiment_id").text().orElse("");
        Map<String, String> promotions = new HashMap<>();
        runs().filter(run -> isFinished(run) && run.get("info", "experiment_id").is(experiment)).forEach(run -> {
            String id = run.get("info", "run_id").text().orElseThrow();
            values(run).forEach(value -> promotions.put(digest(id, value), id));
        });
        return promotions;
    }

    private static Stream<String> values(Value run) {
        return run.get("data", "tags").list().stream()
                .filter(tag -> tag.get("key").is("promote"))
                .flatMap(tag -> tag.get("value").text().stream());
    }

    private static boolean isFinished(Value run) {
        return run.get("info", "run_id").text().filter(id -> id.matches("[0-9a-f]{32}")).isPresent()
                && run.get("info", "status").text().filter(FINISHED::contains).isPresent();
    }

    private Map<String, String> ofAlias() {
        Value version = first(Endpoint.ALIAS).get("model_version");
        Value run = first(Endpoint.RUN).get("run");
        String id = version.get("run_id").text().orElse("");
        Optional<BigDecimal> created = version.get("creation_timestamp").number();
        if (created.isEmpty() || !isFinished(run) || !run.get("info", "run_id").is(id)) {
            return Map.of();
        }
        Instant at = Instant.ofEpochMilli(created.get().min(LAST_TIME_OF_GOCD).longValueExact());
        return Map.of(digest(id, "version " + version.get("version").text().orElse("") + " of " + at), id);
    }

    /** Ids of models whose `source_run_id` is the run and that are its outputs or what the version was made from. */
    private Set<String> models(String run) {
        Set<String> named = new HashSet<>();
        Stream.concat(runs(), all(Endpoint.RUN).map(it -> it.get("run")))
                .filter(it -> it.get("info", "run_id").is(run))
                .flatMap(it -> it.get("outputs", "model_outputs").list().stream())
                .forEach(output -> output.get("model_id").text().ifPresent(named::add));
        Stream.of(first(Endpoint.ALIAS).get("model_version", "source"), first(Endpoint.FILES).get("artifact_uri"))
                .flatMap(place -> place.text().stream().flatMap(text -> Stream.of(text.split("/"))))
                .forEach(named::add);
        Set<String> models = new HashSet<>();
        Stream<Value> listed = all(Endpoint.MODELS).flatMap(it -> it.get("models").list().stream());
        Stream.concat(listed, all(Endpoint.MODEL).map(it -> it.get("model")))
                .filter(model -> model.get("info", "source_run_id").is(run))
                .forEach(model -> model.get("info", "model_id").text().filter(named::contains).ifPresent(models::add));
        return models;
    }

    private Stream<Value> runs() {
        return all(Endpoint.RUNS).flatMap(page -> page.get("runs").list().stream());
    }

    private Stream<Value> all(Endpoint endpoint) {
        return replies.getOrDefault(endpoint, List.of()).stream();
    }

    private Value first(Endpoint endpoint) {
        return all(endpoint).findFirst().orElse(new Value(null));
    }

    private static String digest(String run, String value) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest((run + "\0" + value).getBytes(UTF_8));
            return HexFormat.of().formatHex(digest).substring(0, 12);
        } catch (NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible);
        }
    }
}
