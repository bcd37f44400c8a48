package io.trackback.mlflow;

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

/** Promotions that come and go while there are more of them than SEEN takes. */
final class CrowdPropertyTest {
    private static final Arbitrary<Integer> FEW = Arbitraries.integers().between(1, 5);
    private static final Arbitrary<Integer> FROM = Arbitraries.integers().between(0, 1990);

    // Not shrunk, because the shrinker keeps the thousands of runs of every try.
    @Property(tries = 12, shrinking = ShrinkingMode.OFF)
    void whatIsPresentIsNeverForgotten(@ForAll("stories") ActionChain<CrowdStory> story) {
        CrowdStory told = story.run();
        told.pollUntilQuiet();
        Statistics.label("something could be forgotten")
                .collect(told.hasForgettable())
                .coverage(coverage -> coverage.check(true).percentage(share -> share > 0));
    }

    @Provide
    ActionChainArbitrary<CrowdStory> stories() {
        return ActionChain.startWith(CrowdStory::new)
                .withAction(4, Steps.any(FEW.map(Promote::new)))
                .withAction(3, Steps.any(Combinators.combine(FROM, FEW).as(Delete::new)))
                .withAction(1, Steps.any(Arbitraries.just(new Restore())))
                .withAction(2, Steps.any(Arbitraries.just(new Poll())))
                .withAction(2, Steps.any(Arbitraries.just(new PollUntilQuiet())))
                .withMaxTransformations(20);
    }

    private record Promote(int runs) implements Consumer<CrowdStory> {
        @Override
        public void accept(CrowdStory story) {
            story.promote(runs);
        }
    }

    private record Delete(int from, int runs) implements Consumer<CrowdStory> {
        @Override
        public void accept(CrowdStory story) {
            story.delete(from, runs);
        }
    }

    private record Restore() implements Consumer<CrowdStory> {
        @Override
        public void accept(CrowdStory story) {
            story.restore();
        }
    }

    private record Poll() implements Consumer<CrowdStory> {
        @Override
        public void accept(CrowdStory story) {
            story.poll();
        }
    }

    private record PollUntilQuiet() implements Consumer<CrowdStory> {
        @Override
        public void accept(CrowdStory story) {
            story.pollUntilQuiet();
        }
    }
}
