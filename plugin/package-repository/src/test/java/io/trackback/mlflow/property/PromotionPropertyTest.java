package io.trackback.mlflow.property;

import io.trackback.mlflow.SimulatedMlflow.Call;
import java.util.function.Consumer;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.state.ActionChain;
import net.jqwik.api.state.ActionChainArbitrary;
import net.jqwik.api.statistics.Statistics;

/** For any sequence of changes to runs and tags, polls and failures: every promotion is reported once, in order. */
final class PromotionPropertyTest {
    private static final Arbitrary<Integer> RUN = Arbitraries.integers().between(0, 7);
    private static final Arbitrary<Integer> END = Arbitraries.integers().between(0, 3);
    private static final Arbitrary<String> HOW = Arbitraries.of("FINISHED", "FAILED", "KILLED");
    private static final Arbitrary<String> TAG = Arbitraries.of("promote", "preview");
    private static final Arbitrary<String> VALUE = Arbitraries.of("", "true", "#42", "3 yesterday ada");
    private static final Arbitrary<Call> FAILURE = Arbitraries.of(Call.EXPERIMENT, Call.RUNS, Call.MODEL);

    @Property(tries = 400)
    void everyPromotionIsReportedOnceAndInOrder(@ForAll("scenarios") ActionChain<TagScenario> scenario) {
        TagScenario ended = scenario.run();
        ended.pollUntilQuiet();
        Statistics.label("more than two reports")
                .collect(ended.reports() > 2)
                .coverage(coverage -> coverage.check(true).percentage(share -> share > 25));
    }

    @Provide
    ActionChainArbitrary<TagScenario> scenarios() {
        return ActionChain.startWith(TagScenario::new)
                .withAction(1, Actions.any(RUN.map(Start::new)))
                .withAction(1, Actions.any(RUN.map(PromoteElsewhere::new)))
                .withAction(4, Actions.any(Combinators.combine(RUN, HOW, END).as(Finish::new)))
                .withAction(4, Actions.any(Combinators.combine(RUN, TAG).as(Promote::new)))
                .withAction(1, Actions.any(Combinators.combine(RUN, TAG).as(PromoteUnderTheSameNumber::new)))
                .withAction(3, Actions.any(Combinators.combine(RUN, TAG, VALUE).as(Tag::new)))
                .withAction(1, Actions.any(Combinators.combine(RUN, TAG).as(Untag::new)))
                .withAction(1, Actions.any(RUN.map(Delete::new)))
                .withAction(1, Actions.any(RUN.map(Restore::new)))
                .withAction(4, Actions.any(TAG.map(Poll::new)))
                .withAction(2, Actions.any(TAG.map(PollInVain::new)))
                .withAction(2, Actions.any(TAG.map(PollTwiceAtOnce::new)))
                .withAction(2, Actions.any(Combinators.combine(TAG, FAILURE).as(PollWhileFailing::new)))
                .withAction(2, Actions.any(Combinators.combine(TAG, RUN).as(PollWithoutListing::new)))
                .withMaxTransformations(40);
    }

    private record Start(int rank) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.mlflow.start(rank, "1");
        }
    }

    private record PromoteElsewhere(int rank) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.promoteElsewhere(rank);
        }
    }

    private record Finish(int run, String how, int end) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.mlflow.runAt(run).finish(how, end);
        }
    }

    private record Promote(int run, String tag) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.mlflow.promote(scenario.mlflow.runAt(run), tag, scenario.mlflow.highestSequence(tag) + 1);
        }
    }

    /** Two people promote at the same moment. */
    private record PromoteUnderTheSameNumber(int run, String tag) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.mlflow.promote(scenario.mlflow.runAt(run), tag, Math.max(1, scenario.mlflow.highestSequence(tag)));
        }
    }

    private record Tag(int run, String tag, String value) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.mlflow.tag(scenario.mlflow.runAt(run), tag, value);
        }
    }

    private record Untag(int run, String tag) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.mlflow.runAt(run).tags.remove(tag);
        }
    }

    private record Delete(int run) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.mlflow.runAt(run).deleted = true;
        }
    }

    private record Restore(int run) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.mlflow.runAt(run).deleted = false;
        }
    }

    private record Poll(String tag) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.of(tag).poll();
        }
    }

    private record PollInVain(String tag) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.of(tag).pollInVain();
        }
    }

    private record PollTwiceAtOnce(String tag) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.of(tag).pollTwiceAtOnce();
        }
    }

    private record PollWhileFailing(String tag, Call at) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.of(tag).pollWhileFailingAt(at);
        }
    }

    private record PollWithoutListing(String tag, int run) implements Consumer<TagScenario> {
        @Override
        public void accept(TagScenario scenario) {
            scenario.mlflow.withoutListing(scenario.mlflow.runAt(run), scenario.of(tag)::poll);
        }
    }
}
