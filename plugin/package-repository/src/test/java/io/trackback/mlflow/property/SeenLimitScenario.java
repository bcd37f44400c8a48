package io.trackback.mlflow.property;

import io.trackback.mlflow.GocdMaterial;
import io.trackback.mlflow.SimulatedMlflow.SimulatedRun;
import io.trackback.mlflow.SimulatedMlflow;
import io.trackback.mlflow.TestPlugins;
import java.util.List;
import java.util.Map;

/** An experiment with four promotions less than SEEN has entries for, all of them seen. */
final class SeenLimitScenario {
    private static final int SEEN_AT_FIRST = 1996;

    private final SimulatedMlflow mlflow = new SimulatedMlflow();
    private final SeenLimitOracle expected = new SeenLimitOracle(mlflow, "promote");
    private final PolledPackage polled = new PolledPackage(
            mlflow,
            new GocdMaterial(
                    TestPlugins.of(mlflow),
                    Map.of("MLFLOW_URL", "http://mlflow"),
                    Map.of("EXPERIMENT", SimulatedMlflow.EXPERIMENT)),
            expected);

    SeenLimitScenario() {
        promote(SEEN_AT_FIRST);
        poll();
    }

    void promote(int runs) {
        for (int i = 0; i < runs; i++) {
            SimulatedRun run = mlflow.start(i % 7, "1");
            run.finish("FINISHED", i % 5);
            mlflow.tag(run, "promote", "true");
        }
    }

    void delete(int from, int runs) {
        for (int i = from; i < from + runs; i++) {
            mlflow.runAt(i).deleted = true;
        }
    }

    void restore() {
        mlflow.runs.forEach(run -> run.deleted = false);
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
        return mlflow.runs.size() + " runs, " + polled.known() + " reports";
    }
}
