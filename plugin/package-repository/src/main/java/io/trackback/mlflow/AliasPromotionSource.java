package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** Promotions by an alias: the version of the registered model that the alias points at. */
record AliasPromotionSource(String registeredModel, String alias, String modelName) implements PromotionSource {

    @Override
    public String model() {
        return registeredModel;
    }

    @Override
    public List<Promotion> promotions(Mlflow mlflow) {
        return mlflow.version(registeredModel, alias).flatMap(version -> promotion(mlflow, version)).stream()
                .toList();
    }

    /** Empty while the run has not ended. Raises RefusedException for a version without a run. */
    private Optional<Promotion> promotion(Mlflow mlflow, ModelVersion version) {
        if (version.runId().isEmpty()) {
            throw new RefusedException("expected version " + version.number() + " of registered model '"
                    + registeredModel + "' to come from a run, found none: register a model that a run logged");
        }
        return Optional.of(Promotion.of(version, mlflow.run(version.runId())))
                .filter(promotion -> promotion.run().isFinished());
    }

    /** The last report only, because an alias that is set back to an older version promotes that version again. */
    @Override
    public SeenPromotions seenAfter(SeenPromotions before, Promotion reported, List<Promotion> present) {
        return SeenPromotions.of(List.of(reported));
    }

    @Override
    public Optional<LoggedModel> model(Mlflow mlflow, Promotion promotion) {
        return promotion.modelId().isEmpty()
                ? mlflow.model(promotion.run(), modelName)
                : mlflow.modelWithId(promotion.run(), promotion.modelId());
    }

    @Override
    public String describe(Promotion promotion) {
        return "is " + alias + " (" + promotion.value() + ")";
    }

    @Override
    public String nothingPromoted() {
        return "nothing promoted in registered model " + registeredModel + " yet: set the alias '" + alias
                + "' on a version of a finished run";
    }

    @Override
    public String connectionCheck(Mlflow mlflow) {
        ModelVersion version = mlflow.version(registeredModel, alias)
                .orElseThrow(() -> new RefusedException("expected an alias '" + alias + "' of registered model '"
                        + registeredModel + "' in MLflow, found none: set it or correct " + PackageConfig.ALIAS));
        return promotion(mlflow, version).isEmpty()
                ? nothingPromoted()
                : "the alias '" + alias + "' points at version " + version.number();
    }
}
