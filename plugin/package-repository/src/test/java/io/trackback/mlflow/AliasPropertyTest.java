package io.trackback.mlflow;

import io.trackback.mlflow.ModelOfMlflow.Asked;
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

/** Whatever people and jobs do to the versions and aliases of a registered model, and whatever fails in between. */
final class AliasPropertyTest {
    private static final Arbitrary<Integer> ANY = Arbitraries.integers().between(0, 4);
    private static final Arbitrary<String> ALIAS = Arbitraries.of("champion", "challenger");
    private static final Arbitrary<Asked> FAILURE = Arbitraries.of(Asked.ALIAS, Asked.RUN, Asked.MODEL);

    @Property(tries = 400)
    void anAliasIsReportedIfAndOnlyIfItPointsElsewhere(@ForAll("stories") ActionChain<AliasStory> story) {
        AliasStory told = story.run();
        told.pollUntilQuiet();
        Statistics.label("more than two reports")
                .collect(told.reports() > 2)
                .coverage(coverage -> coverage.check(true).percentage(share -> share > 25));
    }

    @Provide
    ActionChainArbitrary<AliasStory> stories() {
        return ActionChain.startWith(AliasStory::new)
                .withAction(1, Steps.any(ANY.map(Start::new)))
                .withAction(2, Steps.any(ANY.map(Finish::new)))
                .withAction(4, Steps.any(ANY.map(Register::new)))
                .withAction(1, Steps.any(Arbitraries.just(new RegisterWithoutARun())))
                .withAction(1, Steps.any(ANY.map(DeleteVersion::new)))
                .withAction(1, Steps.any(Arbitraries.just(new RecreateRegisteredModel())))
                .withAction(6, Steps.any(Combinators.combine(ALIAS, ANY).as(Point::new)))
                .withAction(1, Steps.any(ALIAS.map(Remove::new)))
                .withAction(6, Steps.any(ALIAS.map(Poll::new)))
                .withAction(2, Steps.any(ALIAS.map(PollInVain::new)))
                .withAction(2, Steps.any(ALIAS.map(PollTwiceAtOnce::new)))
                .withAction(2, Steps.any(Combinators.combine(ALIAS, FAILURE).as(PollWhileFailing::new)))
                .withMaxTransformations(40);
    }

    private record Start(int rank) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.mlflow.start(rank, "1");
        }
    }

    private record Finish(int run) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.mlflow.job(run).finish("FINISHED", run);
        }
    }

    private record Register(int run) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.mlflow.register(story.mlflow.job(run));
        }
    }

    private record RegisterWithoutARun() implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.mlflow.register(null);
        }
    }

    private record DeleteVersion(int index) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.mlflow.version(index).ifPresent(story.mlflow::delete);
        }
    }

    private record RecreateRegisteredModel() implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.mlflow.recreateRegisteredModel();
        }
    }

    private record Point(String alias, int index) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.mlflow.version(index).ifPresent(version -> story.mlflow.aliases.put(alias, version));
        }
    }

    private record Remove(String alias) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.mlflow.aliases.remove(alias);
        }
    }

    private record Poll(String alias) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.of(alias).poll();
        }
    }

    private record PollInVain(String alias) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.of(alias).pollInVain();
        }
    }

    private record PollTwiceAtOnce(String alias) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.of(alias).pollTwiceAtOnce();
        }
    }

    private record PollWhileFailing(String alias, Asked at) implements Consumer<AliasStory> {
        @Override
        public void accept(AliasStory story) {
            story.of(alias).pollWhileFailingAt(at);
        }
    }
}
