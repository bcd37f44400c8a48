package io.trackback.mlflow.property;

import java.util.function.Consumer;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.state.Action;
import net.jqwik.api.state.Transformer;

/** Makes jqwik actions of records, so that a failed scenario is printed as a list of them. */
final class Actions {
    private Actions() {}

    static <S, T extends Consumer<S>> Action.Independent<S> any(Arbitrary<T> steps) {
        return () -> steps.map(step -> Transformer.mutate(step.toString(), step));
    }
}
