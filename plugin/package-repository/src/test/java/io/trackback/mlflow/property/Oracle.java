package io.trackback.mlflow.property;

import io.trackback.mlflow.GocdReader.Modification;
import java.util.Optional;

/** The expected answer to a poll, computed from SimulatedMlflow without code of the plugin. */
interface Oracle {
    /** The start of the expected refusal; empty when the poll has to be answered. */
    Optional<String> refusal();

    /** Fails unless this is the expected answer; `answer` is empty for "no new revision". */
    void check(Optional<Modification> answer);

    /** Called when the answer is stored. */
    void kept(Modification answer);
}
