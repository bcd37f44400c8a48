package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** Promotions by a tag on runs of an experiment; `modelName` is the name under which runs log their model. */
record TagPromotionSource(String experiment, String tag, String modelName) implements PromotionSource {

    @Override
    public String model() {
        return experiment;
    }

    @Override
    public List<Promotion> promotions(Mlflow mlflow) {
        // By name at every poll, because MLflow answers a search in a deleted experiment with no runs.
        String id = mlflow.experiment(experiment)
                .orElseThrow(() -> new RefusedException("expected an experiment named '" + experiment
                        + "' in MLflow, found none: create it or correct " + PackageConfig.EXPERIMENT));
        return mlflow.tagged(id, tag).stream()
                .filter(tagged -> tagged.run().isFinished())
                .map(Promotion::of)
                .toList();
    }

    @Override
    public SeenPromotions seenAfter(SeenPromotions before, Promotion reported, List<Promotion> present) {
        return before.with(reported, present);
    }

    @Override
    public Optional<LoggedModel> model(Mlflow mlflow, Promotion promotion) {
        return mlflow.model(promotion.run(), modelName);
    }

    @Override
    public String describe(Promotion promotion) {
        return promotion.isWritten()
                ? "promoted by " + promotion.who()
                : "has the tag " + tag + " = " + promotion.value();
    }

    @Override
    public String nothingPromoted() {
        return "nothing promoted in experiment " + experiment + " yet: tag a run with '" + tag + "'";
    }

    @Override
    public String connectionCheck(Mlflow mlflow) {
        int promoted = promotions(mlflow).size();
        return promoted == 0 ? nothingPromoted() : "finished runs with the tag '" + tag + "': " + promoted;
    }
}
