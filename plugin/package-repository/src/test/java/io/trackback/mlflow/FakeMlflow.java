package io.trackback.mlflow;

import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** An MLflow in memory with one experiment and one registered model, both named `diamond-price`. */
final class FakeMlflow implements Mlflow {
    private final Map<String, Run> runs = new HashMap<>();
    private final Map<String, TaggedRun> tagged = new HashMap<>();
    private final Map<String, LoggedModel> models = new HashMap<>();
    private final Map<String, ModelVersion> aliases = new HashMap<>();
    final List<String> calls = new ArrayList<>();

    /** Run `n` ends `n` seconds into 1970 and has logged a model; later runs have smaller ids. */
    static String runId(int n) {
        return String.format("%032x", 1000 - n);
    }

    static String modelId(int run) {
        return "m-" + runId(run);
    }

    FakeMlflow promote(int run, String value) {
        return promote(run, value, "FINISHED");
    }

    FakeMlflow promote(int run, String value, String status) {
        LoggedModel model = new LoggedModel(
                modelId(run), "mlflow-artifacts:/1/models/" + modelId(run) + "/artifacts");
        models.putIfAbsent(runId(run), model);
        return add(new TaggedRun(run(run, status), value, ""));
    }

    static Run run(int run, String status) {
        return new Run(
                runId(run), "run-" + run, status, "1", Instant.ofEpochSecond(run), List.of(modelId(run)));
    }

    FakeMlflow add(TaggedRun run) {
        runs.put(run.run().id(), run.run());
        tagged.put(run.run().id(), run);
        return this;
    }

    FakeMlflow add(String runId, LoggedModel model) {
        models.put(runId, model);
        return this;
    }

    FakeMlflow remove(int run) {
        tagged.remove(runId(run));
        return this;
    }

    FakeMlflow withoutModel(int run) {
        models.remove(runId(run));
        return this;
    }

    /** Sets the alias to version `number`, which is the model of the run. */
    FakeMlflow alias(String alias, int number, int run, String status) {
        promote(run, "unused", status).remove(run);
        return alias(
                alias,
                new ModelVersion(String.valueOf(number), runId(run), modelId(run), Instant.ofEpochSecond(number)));
    }

    FakeMlflow alias(String alias, ModelVersion version) {
        aliases.put(alias, version);
        return this;
    }

    FakeMlflow withoutAlias(String alias) {
        aliases.remove(alias);
        return this;
    }

    @Override
    public Optional<String> experiment(String name) {
        calls.add("experiment " + name);
        return name.equals("diamond-price") ? Optional.of("1") : Optional.empty();
    }

    @Override
    public List<TaggedRun> tagged(String experimentId, String tag) {
        calls.add("tagged " + tag);
        return List.copyOf(tagged.values());
    }

    @Override
    public Optional<ModelVersion> version(String registeredModel, String alias) {
        calls.add("version " + alias);
        return Optional.ofNullable(aliases.get(alias));
    }

    @Override
    public Run run(String id) {
        calls.add("run");
        return runs.get(id);
    }

    @Override
    public Optional<LoggedModel> model(Run run, String name) {
        calls.add("model " + name);
        return Optional.ofNullable(models.get(run.id()));
    }

    @Override
    public Optional<LoggedModel> modelWithId(Run run, String id) {
        calls.add("model with id");
        return models.values().stream().filter(model -> model.id().equals(id)).findFirst();
    }
}
