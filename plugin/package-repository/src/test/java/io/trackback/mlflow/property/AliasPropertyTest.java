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

/** For any sequence of changes to versions and aliases, polls and failures: each move of an alias is reported. */
final class AliasPropertyTest {
    private static final Arbitrary<Integer> ANY = Arbitraries.integers().between(0, 4);
    private static final Arbitrary<String> ALIAS = Arbitraries.of("champion", "challenger");
    private static final Arbitrary<Call> FAILURE = Arbitraries.of(Call.ALIAS, Call.RUN, Call.MODEL);

    @Property(tries = 400)
    void anAliasIsReportedIfAndOnlyIfItPointsElsewhere(@ForAll("scenarios") ActionChain<AliasScenario> scenario) {
        AliasScenario ended = scenario.run();
        ended.pollUntilQuiet();
        Statistics.label("more than two reports")
                .collect(ended.reports() > 2)
                .coverage(coverage -> coverage.check(true).percentage(share -> share > 25));
    }

    @Provide
    ActionChainArbitrary<AliasScenario> scenarios() {
        return ActionChain.startWith(AliasScenario::new)
                .withAction(1, Actions.any(ANY.map(Start::new)))
                .withAction(2, Actions.any(ANY.map(Finish::new)))
                .withAction(4, Actions.any(ANY.map(Register::new)))
                .withAction(1, Actions.any(Arbitraries.just(new RegisterWithoutARun())))
                .withAction(1, Actions.any(ANY.map(DeleteVersion::new)))
                .withAction(1, Actions.any(Arbitraries.just(new RecreateRegisteredModel())))
                .withAction(6, Actions.any(Combinators.combine(ALIAS, ANY).as(Point::new)))
                .withAction(1, Actions.any(ALIAS.map(Remove::new)))
                .withAction(6, Actions.any(ALIAS.map(Poll::new)))
                .withAction(2, Actions.any(ALIAS.map(PollInVain::new)))
                .withAction(2, Actions.any(ALIAS.map(PollTwiceAtOnce::new)))
                .withAction(2, Actions.any(Combinators.combine(ALIAS, FAILURE).as(PollWhileFailing::new)))
                .withMaxTransformations(40);
    }

    private record Start(int rank) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.mlflow.start(rank, "1");
        }
    }

    private record Finish(int run) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.mlflow.runAt(run).finish("FINISHED", run);
        }
    }

    private record Register(int run) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.mlflow.register(scenario.mlflow.runAt(run));
        }
    }

    private record RegisterWithoutARun() implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.mlflow.register(null);
        }
    }

    private record DeleteVersion(int index) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.mlflow.version(index).ifPresent(scenario.mlflow::delete);
        }
    }

    private record RecreateRegisteredModel() implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.mlflow.recreateRegisteredModel();
        }
    }

    private record Point(String alias, int index) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.mlflow.version(index).ifPresent(version -> scenario.mlflow.aliases.put(alias, version));
        }
    }

    private record Remove(String alias) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.mlflow.aliases.remove(alias);
        }
    }

    private record Poll(String alias) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.of(alias).poll();
        }
    }

    private record PollInVain(String alias) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.of(alias).pollInVain();
        }
    }

    private record PollTwiceAtOnce(String alias) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.of(alias).pollTwiceAtOnce();
        }
    }

    private record PollWhileFailing(String alias, Call at) implements Consumer<AliasScenario> {
        @Override
        public void accept(AliasScenario scenario) {
            scenario.of(alias).pollWhileFailingAt(at);
        }
    }
}
