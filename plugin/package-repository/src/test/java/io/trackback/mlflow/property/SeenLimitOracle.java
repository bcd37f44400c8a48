package io.trackback.mlflow.property;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.trackback.mlflow.GocdReader.Modification;
import io.trackback.mlflow.SimulatedMlflow.Promotion;
import io.trackback.mlflow.SimulatedMlflow;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Every promotion is reported once; above 2,000, one that was absent may be reported again when it is back. */
final class SeenLimitOracle implements Oracle {
    private static final int LIMIT = 2000;

    private final SimulatedMlflow mlflow;
    private final String tag;
    private final Set<List<String>> seen = new HashSet<>();
    private final Set<List<String>> forgettable = new HashSet<>();
    private int entries;

    SeenLimitOracle(SimulatedMlflow mlflow, String tag) {
        this.mlflow = mlflow;
        this.tag = tag;
    }

    @Override
    public Optional<String> refusal() {
        return Optional.empty();
    }

    @Override
    public void check(Optional<Modification> answer) {
        if (seen.isEmpty()) {
            return;
        }
        List<Promotion> required = mlflow.promotions(tag).stream()
                .filter(it -> !seen.contains(TagOracle.name(it)) && !forgettable.contains(TagOracle.name(it)))
                .toList();
        Optional<List<String>> name = answer.map(TagOracle::name);
        if (name.isEmpty() || !forgettable.contains(name.get())) {
            assertEquals(TagOracle.oldest(required).map(TagOracle::name), name);
        }
        name.ifPresent(it -> assertTrue(present().contains(it), "reports only what is promoted"));
    }

    @Override
    public void kept(Modification answer) {
        if (seen.isEmpty()) {
            seen.addAll(present());
        }
        seen.add(TagOracle.name(answer));
        forgettable.remove(TagOracle.name(answer));
        if (entries >= LIMIT) {
            forgetTheGone();
        }
        entries = TagOracle.entries(answer).size();
        assertTrue(entries <= Math.max(LIMIT, present().size()), "SEEN stays short: " + entries);
    }

    private void forgetTheGone() {
        Set<List<String>> gone = new HashSet<>(seen);
        gone.removeAll(present());
        seen.removeAll(gone);
        forgettable.addAll(gone);
    }

    boolean hasForgettable() {
        return !forgettable.isEmpty();
    }

    private Set<List<String>> present() {
        return mlflow.promotions(tag).stream().map(TagOracle::name).collect(Collectors.toSet());
    }
}
