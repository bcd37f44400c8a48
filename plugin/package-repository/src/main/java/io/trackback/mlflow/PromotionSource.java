package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** What a package watches for promotions. */
interface PromotionSource {
    /** The model's name, which jobs get as MODEL. */
    String model();

    /** Every promotion of a finished run as MLflow has it now; raises RefusedException when there is nothing to source. */
    List<Promotion> promotions(Mlflow mlflow);

    /** What is seen when the promotion has been reported. */
    SeenPromotions seenAfter(SeenPromotions before, Promotion reported, List<Promotion> present);

    Optional<LoggedModel> model(Mlflow mlflow, Promotion promotion);

    /** How the run was promoted, after "run …". */
    String describe(Promotion promotion);

    /** What to say when there is no promotion, and what to do for one. */
    String nothingPromoted();

    /** What a check of the connection found, in words; raises RefusedException when there is nothing to source. */
    String connectionCheck(Mlflow mlflow);
}
