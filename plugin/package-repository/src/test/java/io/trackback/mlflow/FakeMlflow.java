package io.trackback.mlflow;

import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** An MLflow with one experiment, `diamond-price`, in memory. */
final class FakeMlflow implements Mlflow {
    private final Map<String, Run> runs = new HashMap<>();
    private final Map<String, LoggedModel> models = new HashMap<>();
    final List<String> questions = new ArrayList<>();

    /** Run `n` ends `n` seconds into 1970 and has logged a model; later runs have smaller ids. */
    static String runId(int n) {
        return String.format("%032x", 1000 - n);
    }

    FakeMlflow promote(int run, String value) {
        return promote(run, value, "FINISHED");
    }

    FakeMlflow promote(int run, String value, String status) {
        String id = runId(run);
        models.putIfAbsent(id, new LoggedModel("m-" + id, "mlflow-artifacts:/1/models/m-" + id + "/artifacts"));
        return add(new Run(id, "run-" + run, status, "1", Instant.ofEpochSecond(run), value, ""));
    }

    FakeMlflow add(Run run) {
        runs.put(run.id(), run);
        return this;
    }

    FakeMlflow add(String runId, LoggedModel model) {
        models.put(runId, model);
        return this;
    }

    FakeMlflow remove(int run) {
        runs.remove(runId(run));
        return this;
    }

    FakeMlflow withoutModel(int run) {
        models.remove(runId(run));
        return this;
    }

    @Override
    public Optional<String> experiment(String name) {
        questions.add("experiment " + name);
        return name.equals("diamond-price") ? Optional.of("1") : Optional.empty();
    }

    @Override
    public List<Run> promoted(String experimentId, String tag) {
        questions.add("promoted " + tag);
        return List.copyOf(runs.values());
    }

    @Override
    public Optional<LoggedModel> model(Run run, String name) {
        questions.add("model " + name);
        return Optional.ofNullable(models.get(run.id()));
    }
}
