package io.trackback.mlflow;

import io.trackback.mlflow.ModelOfMlflow.Job;
import java.util.List;
import java.util.Map;

/** An experiment with almost as many promotions as SEEN takes, all of them seen. */
final class CrowdStory {
    private static final int CROWD = 1996;

    private final ModelOfMlflow mlflow = new ModelOfMlflow();
    private final ExpectedCrowd expected = new ExpectedCrowd(mlflow, "promote");
    private final PolledPackage polled = new PolledPackage(
            mlflow,
            new GocdMaterial(
                    new MlflowPackagePlugin((repository, limit) -> mlflow),
                    Map.of("MLFLOW_URL", "http://mlflow"),
                    Map.of("EXPERIMENT", ModelOfMlflow.EXPERIMENT)),
            expected);

    CrowdStory() {
        promote(CROWD);
        poll();
    }

    void promote(int runs) {
        for (int run = 0; run < runs; run++) {
            Job job = mlflow.start(run % 7, "1");
            job.finish("FINISHED", run % 5);
            mlflow.tag(job, "promote", "true");
        }
    }

    void delete(int from, int runs) {
        for (int run = from; run < from + runs; run++) {
            mlflow.job(run).deleted = true;
        }
    }

    void restore() {
        mlflow.jobs.forEach(job -> job.deleted = false);
    }

    void poll() {
        polled.poll();
    }

    void pollUntilQuiet() {
        polled.pollUntilQuiet(200);
    }

    boolean hasForgettable() {
        return expected.hasForgettable();
    }

    @Override
    public String toString() {
        return mlflow.jobs.size() + " runs, " + polled.known() + " reports";
    }
}
