package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Promotion by an alias of a registered model. */
final class AliasPromotionSourceTest {
    private final FakeMlflow mlflow = new FakeMlflow();
    private final AliasPromotionSource source = new AliasPromotionSource("diamond-price", "champion", "model");
    private final Poller poller = new Poller(mlflow, "http://mlflow", source);

    private Optional<Revision> since(Revision known) {
        return poller.since(new PreviousRevision(known.revision(), known.data()));
    }

    @Test
    void theVersionThatTheAliasPointsAtIsReportedWithItsModel() {
        mlflow.alias("champion", 3, 1, "FINISHED");
        Revision first = poller.latest();
        assertEquals("1-00000000", first.revision());
        assertEquals("1970-01-01T00:00:03.000Z", first.timestamp());
        assertEquals(
                "diamond-price: run run-1 (00000000) is champion (version 3 of 1970-01-01T00:00:03Z)",
                first.revisionComment());
        assertEquals("diamond-price", first.data().get("MODEL"));
        assertEquals("version 3 of 1970-01-01T00:00:03Z", first.data().get("PROMOTION"));
        assertEquals(FakeMlflow.modelId(1), first.data().get("MODEL_ID"));
        assertEquals(List.of("version champion", "run", "model with id"), mlflow.calls);
    }

    @Test
    void anAliasThatMovesAndComesBackPromotesEachTime() {
        mlflow.alias("champion", 1, 1, "FINISHED");
        Revision first = poller.latest();
        assertEquals(Optional.empty(), since(first));
        mlflow.alias("champion", 2, 2, "FINISHED");
        Revision second = since(first).orElseThrow();
        assertEquals(Optional.empty(), since(second));
        mlflow.alias("champion", 1, 1, "FINISHED");
        Revision third = since(second).orElseThrow();
        assertEquals("3-00000000", third.revision());
        assertEquals(FakeMlflow.runId(1), third.data().get("RUN_ID"));
    }

    @Test
    void aRemovedAliasReportsNothingAlsoWhenItIsSetAgain() {
        mlflow.alias("champion", 1, 1, "FINISHED");
        Revision first = poller.latest();
        mlflow.withoutAlias("champion");
        assertEquals(Optional.empty(), since(first));
        mlflow.alias("champion", 1, 1, "FINISHED");
        assertEquals(Optional.empty(), since(first));
    }

    @Test
    void aNumberThatIsGivenAnewIsAnotherVersion() {
        mlflow.alias("champion", 1, 1, "FINISHED");
        Revision first = poller.latest();
        ModelVersion again = new ModelVersion("1", FakeMlflow.runId(1), FakeMlflow.modelId(1), Instant.EPOCH);
        mlflow.alias("champion", again);
        assertEquals("2-00000000", since(first).orElseThrow().revision());
    }

    @Test
    void aVersionOfAnUnfinishedRunWaits() {
        mlflow.alias("champion", 1, 1, "RUNNING");
        String nothing = "nothing promoted in registered model diamond-price yet: set the alias 'champion' on a"
                + " version of a finished run";
        assertEquals(nothing, assertThrows(RefusedException.class, poller::latest).getMessage());
        assertEquals(nothing, source.connectionCheck(mlflow));
        mlflow.alias("champion", 1, 1, "FAILED");
        assertEquals("FAILED", poller.latest().data().get("RUN_STATUS"));
    }

    @Test
    void aVersionWithoutARunIsRefusedByNumber() {
        mlflow.alias("champion", new ModelVersion("4", "", "", Instant.EPOCH));
        assertEquals(
                "expected version 4 of registered model 'diamond-price' to come from a run, found none: register a"
                        + " model that a run logged",
                assertThrows(RefusedException.class, poller::latest).getMessage());
    }

    @Test
    void aVersionThatNamesNoLoggedModelHasTheOneOfTheConfiguredName() {
        mlflow.alias("champion", 1, 1, "FINISHED");
        mlflow.alias("champion", new ModelVersion("1", FakeMlflow.runId(1), "", Instant.EPOCH));
        assertEquals(FakeMlflow.modelId(1), poller.latest().data().get("MODEL_ID"));
        assertEquals("model model", mlflow.calls.get(2));
    }

    @Test
    void aCheckNamesTheVersionOrTheMissingAlias() {
        mlflow.alias("champion", 7, 1, "FINISHED");
        assertEquals("the alias 'champion' points at version 7", source.connectionCheck(mlflow));
        mlflow.withoutAlias("champion");
        assertEquals(
                "expected an alias 'champion' of registered model 'diamond-price' in MLflow, found none: set it or"
                        + " correct ALIAS",
                assertThrows(RefusedException.class, () -> source.connectionCheck(mlflow)).getMessage());
    }
}
