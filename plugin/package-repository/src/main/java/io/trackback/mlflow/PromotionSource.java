package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** Where the promotions of a package come from: a tag on runs, or an alias of a registered model. */
interface PromotionSource {
    /** The model's name, which jobs get as MODEL. */
    String model();

    /** Every promotion of a finished run. Raises RefusedException when the experiment or alias cannot be used. */
    List<Promotion> promotions(Mlflow mlflow);

    /** What counts as seen once `reported` is reported; `present` are all promotions of this poll. */
    SeenPromotions seenAfter(SeenPromotions before, Promotion reported, List<Promotion> present);

    Optional<LoggedModel> model(Mlflow mlflow, Promotion promotion);

    /** How the run was promoted, to follow "run …" in a sentence. */
    String describe(Promotion promotion);

    /** The sentence for "no promotion", with what to do. */
    String nothingPromoted();

    /** The sentence that answers `check-package-connection`. Raises RefusedException as `promotions` does. */
    String connectionCheck(Mlflow mlflow);
}
