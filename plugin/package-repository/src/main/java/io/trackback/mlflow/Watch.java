package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** What a package watches for promotions. */
interface Watch {
    /** The model's name, which jobs get as MODEL. */
    String model();

    /** Every promotion of a finished run as MLflow has it now; raises Refusal when there is nothing to watch. */
    List<Event> promotions(Mlflow mlflow);

    /** What is seen when the event has been reported. */
    Seen seen(Seen before, Event reported, List<Event> present);

    Optional<LoggedModel> model(Mlflow mlflow, Event event);

    /** How the run was promoted, after "run …". */
    String how(Event event);

    /** What to say when there is no promotion, and what to do for one. */
    String nothingPromoted();

    /** What a check of the connection found, in words; raises Refusal when there is nothing to watch. */
    String found(Mlflow mlflow);
}
