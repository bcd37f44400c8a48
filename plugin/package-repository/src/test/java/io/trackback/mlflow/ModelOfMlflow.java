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

/** An MLflow of plain lists, which a test changes as people and jobs do, and which can fail at any question. */
final class ModelOfMlflow implements Mlflow {
    static final String EXPERIMENT = "diamond-price";
    static final String REFUSAL = "asked MLflow, it failed: see its log";

    enum Asked {
        EXPERIMENT,
        RUNS,
        ALIAS,
        RUN,
        MODEL
    }

    /** `sequence` is 0 for a bare value. */
    record Tag(String value, int sequence) {}

    record Version(int number, Job job, Instant created) {}

    /** When all numbers are written, in seconds as runs' ends are: some runs end before, some after. */
    static final long WRITTEN_AT = 2;

    /** A promotion of a finished run, with what orders it. */
    record Promotion(String runId, String value, int sequence, long ended) {}

    /** A run; `job` because the plugin has a Run of its own. */
    static final class Job {
        final String id;
        final String experimentId;
        final Map<String, Tag> tags = new TreeMap<>();
        String status = "RUNNING";
        long ended;
        boolean deleted;

        Job(String id, String experimentId) {
            this.id = id;
            this.experimentId = experimentId;
        }

        boolean isFinished() {
            return !status.equals("RUNNING") && !status.equals("SCHEDULED");
        }

        void finish(String how, long end) {
            if (!isFinished()) {
                status = how;
                ended = end;
            }
        }

        Run run() {
            return new Run(id, "run", status, experimentId, Instant.ofEpochSecond(ended), List.of("m-" + id));
        }
    }

    final List<Job> jobs = new ArrayList<>();
    final List<Version> versions = new ArrayList<>();
    final Map<String, Version> aliases = new HashMap<>();
    private int lastNumber;
    private long clock;
    private Asked failing;
    private boolean failed;
    private Predicate<Job> listed = job -> true;
    private CyclicBarrier meeting;

    /** `rank` comes first in the run's id, so that runs are not ordered by age and may share their first digits. */
    Job start(int rank, String experimentId) {
        Job job = new Job(String.format("%08x%024x", rank, jobs.size()), experimentId);
        jobs.add(job);
        return job;
    }

    Job job(int index) {
        return jobs.get(index % jobs.size());
    }

    void tag(Job job, String tag, String value) {
        job.tags.put(tag, new Tag(value, 0));
    }

    /** As `trackback promote` writes it. */
    void promote(Job job, String tag, int sequence) {
        job.tags.put(tag, new Tag(sequence + " 1970-01-01T00:00:0" + WRITTEN_AT + "Z ada", sequence));
    }

    int highestSequence(String tag) {
        return jobs.stream()
                .filter(job -> job.tags.containsKey(tag))
                .mapToInt(job -> job.tags.get(tag).sequence())
                .max()
                .orElse(0);
    }

    void register(Job job) {
        versions.add(new Version(++lastNumber, job, Instant.ofEpochMilli(++clock)));
    }

    /** MLflow begins to number anew only when the whole registered model was deleted. */
    void recreateRegisteredModel() {
        versions.clear();
        aliases.clear();
        lastNumber = 0;
    }

    /** Empty when there is no version at all. */
    Optional<Version> version(int index) {
        return versions.isEmpty() ? Optional.empty() : Optional.of(versions.get(index % versions.size()));
    }

    void delete(Version version) {
        versions.remove(version);
        aliases.values().removeIf(version::equals);
    }

    List<Promotion> promotions(String tag) {
        return visible(tag).stream()
                .filter(Job::isFinished)
                .map(job -> new Promotion(
                        job.id, job.tags.get(tag).value(), job.tags.get(tag).sequence(), job.ended))
                .toList();
    }

    private List<Job> visible(String tag) {
        return jobs.stream()
                .filter(job -> job.experimentId.equals("1") && !job.deleted && job.tags.containsKey(tag))
                .filter(listed)
                .toList();
    }

    /** Does something while MLflow refuses one question, and says whether that question was asked. */
    boolean whileFailingAt(Asked question, Runnable doing) {
        failAt(question);
        failed = false;
        doing.run();
        failing = null;
        return failed;
    }

    void failAt(Asked question) {
        failing = question;
    }

    /** Does something while MLflow's lists leave a run out. */
    void withoutListing(Job job, Runnable doing) {
        listed = each -> each != job;
        doing.run();
        listed = each -> true;
    }

    /** Does something while the first answer waits until it has been asked for twice. */
    void whileTwoAsk(Runnable doing) {
        meeting = new CyclicBarrier(2);
        doing.run();
        meeting = null;
    }

    private void asked(Asked question) {
        if (question == failing) {
            failed = true;
            throw new Refusal(REFUSAL);
        }
        if (meeting != null && (question == Asked.EXPERIMENT || question == Asked.ALIAS)) {
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
        asked(Asked.EXPERIMENT);
        return name.equals(EXPERIMENT) ? Optional.of("1") : Optional.empty();
    }

    @Override
    public List<TaggedRun> tagged(String experimentId, String tag) {
        asked(Asked.RUNS);
        return visible(tag).stream()
                .map(job -> new TaggedRun(job.run(), job.tags.get(tag).value(), ""))
                .toList();
    }

    @Override
    public Optional<ModelVersion> version(String registeredModel, String alias) {
        asked(Asked.ALIAS);
        return Optional.ofNullable(aliases.get(alias))
                .map(version -> new ModelVersion(
                        String.valueOf(version.number()),
                        version.job() == null ? "" : version.job().id,
                        version.job() == null ? "" : "m-" + version.job().id,
                        version.created()));
    }

    @Override
    public Run run(String id) {
        asked(Asked.RUN);
        return jobs.stream().filter(job -> job.id.equals(id)).findFirst().orElseThrow().run();
    }

    @Override
    public Optional<LoggedModel> model(Run run, String name) {
        asked(Asked.MODEL);
        return Optional.of(new LoggedModel("m-" + run.id(), "mlflow-artifacts:/1/models/m-" + run.id() + "/artifacts"));
    }

    @Override
    public Optional<LoggedModel> modelWithId(Run run, String id) {
        return model(run, "model");
    }
}
