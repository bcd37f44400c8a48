package io.trackback.mlflow.property;

import io.trackback.mlflow.GocdMaterial;
import io.trackback.mlflow.MlflowPackagePlugin;
import io.trackback.mlflow.SimulatedMlflow.SimulatedRun;
import io.trackback.mlflow.SimulatedMlflow;
import io.trackback.mlflow.TestPlugins;
import java.util.Map;

/** One MLflow, of which GoCD polls two packages: runs with the tag `promote`, and runs with the tag `preview`. */
final class TagScenario {
    final SimulatedMlflow mlflow = new SimulatedMlflow();
    private final MlflowPackagePlugin plugin = TestPlugins.of(mlflow);
    private final Map<String, PolledPackage> packages =
            Map.of("promote", polled("promote"), "preview", polled("preview"));

    TagScenario() {
        for (int rank = 0; rank < 3; rank++) {
            mlflow.start(rank, "1");
        }
    }

    private PolledPackage polled(String tag) {
        Map<String, String> settings = Map.of("EXPERIMENT", SimulatedMlflow.EXPERIMENT, "TAG", tag);
        GocdMaterial material = new GocdMaterial(plugin, Map.of("MLFLOW_URL", "http://mlflow"), settings);
        return new PolledPackage(mlflow, material, new TagOracle(mlflow, tag));
    }

    PolledPackage of(String tag) {
        return packages.get(tag);
    }

    /** A run with the tag in another experiment, which must not be reported. */
    void promoteElsewhere(int rank) {
        SimulatedRun run = mlflow.start(rank, "2");
        run.finish("FINISHED", rank);
        mlflow.tag(run, "promote", "true");
    }

    void pollUntilQuiet() {
        packages.values().forEach(each -> each.pollUntilQuiet(mlflow.runs.size()));
    }

    int reports() {
        return packages.values().stream().mapToInt(PolledPackage::known).sum();
    }

    @Override
    public String toString() {
        return mlflow.runs.size() + " runs, " + reports() + " reports";
    }
}
