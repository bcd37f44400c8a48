package io.trackback.mlflow.property;

import java.util.function.Consumer;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.state.ActionChain;
import net.jqwik.api.state.ActionChainArbitrary;
import net.jqwik.api.statistics.Statistics;

/** For more promotions than SEEN has entries for: one that is present is never reported twice. */
final class SeenLimitPropertyTest {
    private static final Arbitrary<Integer> FEW = Arbitraries.integers().between(1, 5);
    private static final Arbitrary<Integer> FROM = Arbitraries.integers().between(0, 1990);

    // Not shrunk, because the shrinker keeps the thousands of runs of every try.
    @Property(tries = 12, shrinking = ShrinkingMode.OFF)
    void whatIsPresentIsNeverForgotten(@ForAll("scenarios") ActionChain<SeenLimitScenario> scenario) {
        SeenLimitScenario ended = scenario.run();
        ended.pollUntilQuiet();
        Statistics.label("something could be forgotten")
                .collect(ended.hasForgettable())
                .coverage(coverage -> coverage.check(true).percentage(share -> share > 0));
    }

    @Provide
    ActionChainArbitrary<SeenLimitScenario> scenarios() {
        return ActionChain.startWith(SeenLimitScenario::new)
                .withAction(4, Actions.any(FEW.map(Promote::new)))
                .withAction(3, Actions.any(Combinators.combine(FROM, FEW).as(Delete::new)))
                .withAction(1, Actions.any(Arbitraries.just(new Restore())))
                .withAction(2, Actions.any(Arbitraries.just(new Poll())))
                .withAction(2, Actions.any(Arbitraries.just(new PollUntilQuiet())))
                .withMaxTransformations(20);
    }

    private record Promote(int runs) implements Consumer<SeenLimitScenario> {
        @Override
        public void accept(SeenLimitScenario scenario) {
            scenario.promote(runs);
        }
    }

    private record Delete(int from, int runs) implements Consumer<SeenLimitScenario> {
        @Override
        public void accept(SeenLimitScenario scenario) {
            scenario.delete(from, runs);
        }
    }

    private record Restore() implements Consumer<SeenLimitScenario> {
        @Override
        public void accept(SeenLimitScenario scenario) {
            scenario.restore();
        }
    }

    private record Poll() implements Consumer<SeenLimitScenario> {
        @Override
        public void accept(SeenLimitScenario scenario) {
            scenario.poll();
        }
    }

    private record PollUntilQuiet() implements Consumer<SeenLimitScenario> {
        @Override
        public void accept(SeenLimitScenario scenario) {
            scenario.pollUntilQuiet();
        }
    }
}
