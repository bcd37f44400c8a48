package io.trackback.mlflow;

import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;

/** A model of MLflow for property tests: lists that a scenario changes, and calls that can be made to fail. */
public final class SimulatedMlflow implements Mlflow {
    public static final String EXPERIMENT = "diamond-price";
    public static final String REFUSAL = "asked MLflow, it failed: see its log";

    public enum Call {
        EXPERIMENT,
        RUNS,
        ALIAS,
        RUN,
        MODEL
    }

    /** `sequence` is 0 for a bare value. */
    public record Tag(String value, int sequence) {}

    public record Version(int number, SimulatedRun run, Instant created) {}

    /** When every written promotion is written, in seconds since 1970; runs end before and after that. */
    public static final long WRITTEN_AT = 2;

    /** A promotion of a finished run; `sequence` and `ended` order it. */
    public record Promotion(String runId, String value, int sequence, long ended) {}

    /** A run that can change, in contrast to the plugin's Run. */
    public static final class SimulatedRun {
        public final String id;
        public final String experimentId;
        public final Map<String, Tag> tags = new TreeMap<>();
        public String status = "RUNNING";
        public long ended;
        public boolean deleted;

        public SimulatedRun(String id, String experimentId) {
            this.id = id;
            this.experimentId = experimentId;
        }

        public boolean isFinished() {
            return !status.equals("RUNNING") && !status.equals("SCHEDULED");
        }

        public void finish(String how, long end) {
            if (!isFinished()) {
                status = how;
                ended = end;
            }
        }

        Run toRun() {
            return new Run(id, "run", status, experimentId, Instant.ofEpochSecond(ended), List.of("m-" + id));
        }
    }

    public final List<SimulatedRun> runs = new ArrayList<>();
    public final List<Version> versions = new ArrayList<>();
    public final Map<String, Version> aliases = new HashMap<>();
    private int lastNumber;
    private long clock;
    private Call failing;
    private boolean failed;
    private Predicate<SimulatedRun> listed = run -> true;
    private CyclicBarrier meeting;

    /** `rank` comes first in the run's id, so that runs are not ordered by age and may share their first digits. */
    public SimulatedRun start(int rank, String experimentId) {
        SimulatedRun run = new SimulatedRun(String.format("%08x%024x", rank, runs.size()), experimentId);
        runs.add(run);
        return run;
    }

    public SimulatedRun runAt(int index) {
        return runs.get(index % runs.size());
    }

    public void tag(SimulatedRun run, String tag, String value) {
        run.tags.put(tag, new Tag(value, 0));
    }

    /** As `trackback promote` writes it. */
    public void promote(SimulatedRun run, String tag, int sequence) {
        run.tags.put(tag, new Tag(sequence + " 1970-01-01T00:00:0" + WRITTEN_AT + "Z ada", sequence));
    }

    public int highestSequence(String tag) {
        return runs.stream()
                .filter(run -> run.tags.containsKey(tag))
                .mapToInt(run -> run.tags.get(tag).sequence())
                .max()
                .orElse(0);
    }

    public void register(SimulatedRun run) {
        versions.add(new Version(++lastNumber, run, Instant.ofEpochMilli(++clock)));
    }

    /** Versions number from 1 again, as in MLflow after the registered model was deleted. */
    public void recreateRegisteredModel() {
        versions.clear();
        aliases.clear();
        lastNumber = 0;
    }

    /** Empty when there is no version at all. */
    public Optional<Version> version(int index) {
        return versions.isEmpty() ? Optional.empty() : Optional.of(versions.get(index % versions.size()));
    }

    public void delete(Version version) {
        versions.remove(version);
        aliases.values().removeIf(version::equals);
    }

    public List<Promotion> promotions(String tag) {
        return visible(tag).stream()
                .filter(SimulatedRun::isFinished)
                .map(run -> new Promotion(
                        run.id, run.tags.get(tag).value(), run.tags.get(tag).sequence(), run.ended))
                .toList();
    }

    private List<SimulatedRun> visible(String tag) {
        return runs.stream()
                .filter(run -> run.experimentId.equals("1") && !run.deleted && run.tags.containsKey(tag))
                .filter(listed)
                .toList();
    }

    /** Runs `doing` while `call` fails; whether it was called. */
    public boolean whileFailingAt(Call call, Runnable doing) {
        failAt(call);
        failed = false;
        doing.run();
        failing = null;
        return failed;
    }

    public void failAt(Call call) {
        failing = call;
    }

    /** Runs `doing` while searches leave the run out. */
    public void withoutListing(SimulatedRun run, Runnable doing) {
        listed = each -> each != run;
        doing.run();
        listed = each -> true;
    }

    /** Runs `doing`, in which two polls have to make their first call at the same time. */
    public void whileTwoAsk(Runnable doing) {
        meeting = new CyclicBarrier(2);
        doing.run();
        meeting = null;
    }

    private void called(Call call) {
        if (call == failing) {
            failed = true;
            throw new RefusedException(REFUSAL);
        }
        if (meeting != null && (call == Call.EXPERIMENT || call == Call.ALIAS)) {
            meet();
        }
    }

    private void meet() {
        try {
            meeting.await(10, TimeUnit.SECONDS);
        } catch (InterruptedException | BrokenBarrierException | TimeoutException alone) {
            throw new AssertionError("expected two polls at once", alone);
        }
    }

    @Override
    public Optional<String> experiment(String name) {
        called(Call.EXPERIMENT);
        return name.equals(EXPERIMENT) ? Optional.of("1") : Optional.empty();
    }

    @Override
    public List<TaggedRun> tagged(String experimentId, String tag) {
        called(Call.RUNS);
        return visible(tag).stream()
                .map(run -> new TaggedRun(run.toRun(), run.tags.get(tag).value(), ""))
                .toList();
    }

    @Override
    public Optional<ModelVersion> version(String registeredModel, String alias) {
        called(Call.ALIAS);
        return Optional.ofNullable(aliases.get(alias))
                .map(version -> new ModelVersion(
                        String.valueOf(version.number()),
                        version.run() == null ? "" : version.run().id,
                        version.run() == null ? "" : "m-" + version.run().id,
                        version.created()));
    }

    @Override
    public Run run(String id) {
        called(Call.RUN);
        return runs.stream().filter(run -> run.id.equals(id)).findFirst().orElseThrow().toRun();
    }

    @Override
    public Optional<LoggedModel> model(Run run, String name) {
        called(Call.MODEL);
        return Optional.of(new LoggedModel("m-" + run.id(), "mlflow-artifacts:/1/models/m-" + run.id() + "/artifacts"));
    }

    @Override
    public Optional<LoggedModel> modelWithId(Run run, String id) {
        return model(run, "model");
    }
}
