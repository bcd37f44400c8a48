package io.trackback.mlflow.property;

import io.trackback.mlflow.GocdMaterial;
import io.trackback.mlflow.MlflowPackagePlugin;
import io.trackback.mlflow.SimulatedMlflow;
import io.trackback.mlflow.TestPlugins;
import java.util.Map;

/** One registered model, of which GoCD polls two packages: the alias `champion`, and the alias `challenger`. */
final class AliasScenario {
    final SimulatedMlflow mlflow = new SimulatedMlflow();
    private final MlflowPackagePlugin plugin = TestPlugins.of(mlflow);
    private final Map<String, PolledPackage> packages =
            Map.of("champion", polled("champion"), "challenger", polled("challenger"));

    AliasScenario() {
        for (int rank = 0; rank < 3; rank++) {
            mlflow.start(rank, "1").finish("FINISHED", rank);
            mlflow.register(mlflow.runAt(rank));
        }
    }

    private PolledPackage polled(String alias) {
        Map<String, String> settings = Map.of("REGISTERED_MODEL", "diamonds", "ALIAS", alias);
        GocdMaterial material = new GocdMaterial(plugin, Map.of("MLFLOW_URL", "http://mlflow"), settings);
        return new PolledPackage(mlflow, material, new AliasOracle(mlflow, alias));
    }

    PolledPackage of(String alias) {
        return packages.get(alias);
    }

    void pollUntilQuiet() {
        packages.values().forEach(each -> each.pollUntilQuiet(1));
    }

    int reports() {
        return packages.values().stream().mapToInt(PolledPackage::known).sum();
    }

    @Override
    public String toString() {
        return mlflow.versions.size() + " versions, " + reports() + " reports";
    }
}
