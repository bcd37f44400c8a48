package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class PollerTest {
    private final FakeMlflow mlflow = new FakeMlflow();
    private final Poller poller = poller("diamond-price");

    private Poller poller(String experiment) {
        return new Poller(mlflow, "http://mlflow", new TagPromotionSource(experiment, "promote", "model"));
    }

    private static String written(int sequence) {
        return sequence + " 2026-11-22T08:00:0" + sequence + "Z ada";
    }

    /** Polls until nothing is new, and names the runs in the order in which they were reported. */
    private List<String> deliveredAfter(Revision known) {
        List<String> delivered = new ArrayList<>();
        Optional<Revision> next = poller.since(asPrevious(known));
        while (next.isPresent()) {
            delivered.add(next.get().data().get("RUN_NAME"));
            next = poller.since(asPrevious(next.get()));
        }
        return delivered;
    }

    private static PreviousRevision asPrevious(Revision revision) {
        return new PreviousRevision(revision.revision(), revision.data());
    }

    @Test
    void nothingPromotedIsRefusedWithAHint() {
        RefusedException refusal = assertThrows(RefusedException.class, poller::latest);
        assertEquals(
                "nothing promoted in experiment diamond-price yet: tag a run with 'promote'", refusal.getMessage());
    }

    @Test
    void anUnknownExperimentIsRefusedByName() {
        RefusedException refusal = assertThrows(RefusedException.class, poller("diamonds")::latest);
        assertEquals(
                "expected an experiment named 'diamonds' in MLflow, found none: create it or correct EXPERIMENT",
                refusal.getMessage());
    }

    @Test
    void theFirstPollReportsTheHighestSequenceAndCountsTheRestAsSeen() {
        mlflow.promote(1, written(2)).promote(2, written(1)).promote(9, "true");
        Revision first = poller.latest();
        assertEquals("1-" + FakeMlflow.runId(1).substring(0, 8), first.revision());
        assertEquals("2026-11-22T08:00:02.000Z", first.timestamp());
        assertEquals(List.of(), deliveredAfter(first));
    }

    @Test
    void theFirstPollReportsABareTagWhoseRunEndedAfterTheLastNumberWasWritten() {
        mlflow.promote(2, "1 1970-01-01T00:00:03Z ada").promote(1, "2 1970-01-01T00:00:04Z ada");
        mlflow.promote(9, "true").promote(5, "true");
        Revision first = poller.latest();
        assertEquals("run-9", first.data().get("RUN_NAME"));
        assertEquals(List.of(), deliveredAfter(first));
    }

    @Test
    void theFirstPollReportsTheLastNumberWhenNoBareRunEndedAfterIt() {
        mlflow.promote(1, "1 1970-01-01T00:00:08Z ada").promote(2, "2 1970-01-01T00:00:05Z ada");
        mlflow.promote(5, "true").promote(4, "true");
        assertEquals("2 1970-01-01T00:00:05Z ada", poller.latest().data().get("PROMOTION"));
    }

    @Test
    void theFirstPollReportsTheBareTagOfTheRunThatEndedLast() {
        mlflow.promote(3, "true").promote(5, "true").promote(4, "true");
        Revision first = poller.latest();
        assertEquals("run-5", first.data().get("RUN_NAME"));
        assertEquals("1970-01-01T00:00:05.000Z", first.timestamp());
        assertEquals("unknown", first.user());
        assertEquals("unknown", first.data().get("PROMOTED_BY"));
        assertEquals("", first.data().get("SEQUENCE"));
    }

    @Test
    void aPollWithoutNewPromotionsReportsNothing() {
        mlflow.promote(1, written(1));
        assertEquals(List.of(), deliveredAfter(poller.latest()));
    }

    @Test
    void severalNewPromotionsArriveOldestFirstOneAPoll() {
        mlflow.promote(1, written(1));
        Revision known = poller.latest();
        mlflow.promote(7, "yes").promote(6, "yes").promote(2, written(3)).promote(3, written(2));
        assertEquals(List.of("run-3", "run-2", "run-6", "run-7"), deliveredAfter(known));
    }

    @Test
    void revisionsCountOnFromThePreviousOne() {
        mlflow.promote(1, written(1));
        Revision known = poller.latest();
        mlflow.promote(2, written(2));
        assertEquals("2-00000000", poller.since(asPrevious(known)).orElseThrow().revision());
        mlflow.promote(2, written(3));
        PreviousRevision later = new PreviousRevision("41-00000000", known.data());
        assertEquals("42-00000000", poller.since(later).orElseThrow().revision());
    }

    @Test
    void anOlderRunIsPromotedAgainByANewValue() {
        mlflow.promote(1, written(1)).promote(2, written(2));
        Revision known = poller.latest();
        mlflow.promote(1, written(3));
        assertEquals(List.of("run-1"), deliveredAfter(known));
    }

    @Test
    void aPromotionThatAReplyLeftOutIsNotReportedAgain() {
        mlflow.promote(1, written(1)).promote(2, written(2));
        Revision known = poller.latest();
        mlflow.remove(1).promote(3, written(3));
        Revision next = poller.since(asPrevious(known)).orElseThrow();
        mlflow.promote(1, written(1));
        assertEquals(List.of(), deliveredAfter(next));
    }

    @Test
    void aRemovedTagReportsNothing() {
        mlflow.promote(1, written(1)).promote(2, written(2));
        Revision known = poller.latest();
        mlflow.remove(2);
        assertEquals(List.of(), deliveredAfter(known));
    }

    @Test
    void aRunIsLeftUntilItFinishes() {
        mlflow.promote(1, written(1)).promote(2, written(2), "RUNNING").promote(3, written(3), "SCHEDULED");
        Revision known = poller.latest();
        assertEquals("run-1", known.data().get("RUN_NAME"));
        assertEquals(List.of(), deliveredAfter(known));
        mlflow.promote(2, written(2), "FINISHED").promote(3, written(3), "FINISHED");
        assertEquals(List.of("run-2", "run-3"), deliveredAfter(known));
    }

    @Test
    void aFailedOrKilledRunIsReported() {
        mlflow.promote(1, written(1));
        Revision known = poller.latest();
        mlflow.promote(2, written(2), "FAILED").promote(3, written(3), "KILLED");
        assertEquals(List.of("run-2", "run-3"), deliveredAfter(known));
        assertEquals("FAILED", poller.since(asPrevious(known)).orElseThrow().data().get("RUN_STATUS"));
    }

    @Test
    void aRunWithoutTheModelIsReportedWithEmptyModelData() {
        mlflow.promote(1, written(1)).withoutModel(1);
        Revision revision = poller.latest();
        assertEquals("", revision.data().get("MODEL_ID"));
        assertEquals("", revision.data().get("MODEL_URI"));
        assertEquals("", revision.data().get("ARTIFACT_URI"));
        assertEquals(FakeMlflow.runId(1), revision.data().get("RUN_ID"));
    }

    @Test
    void aPreviousRevisionWithoutSeenIsRefusedInsteadOfGuessed() {
        mlflow.promote(1, written(1));
        PreviousRevision lost = new PreviousRevision("3-00000000", null);
        RefusedException refusal = assertThrows(RefusedException.class, () -> poller.since(lost));
        assertEquals(
                "expected SEEN in the data of revision '3-00000000', found none: create the package anew",
                refusal.getMessage());
    }

    @Test
    void aPollCallsMlflowThreeTimesAtMost() {
        mlflow.promote(1, written(1)).promote(2, written(2));
        poller.latest();
        assertEquals(List.of("experiment diamond-price", "tagged promote", "model model"), mlflow.calls);
    }

    @Test
    void hostileTextFromARunIsMadePlain() {
        Run run = new Run(FakeMlflow.runId(1), "{{SECRET:[a][b]}}\n", "FINISHED", "1", Instant.EPOCH, List.of());
        mlflow.add(new TaggedRun(run, "x\0y", "z".repeat(9000)));
        Revision revision = poller.latest();
        assertEquals("{ {SECRET:[a][b]}}", revision.data().get("RUN_NAME"));
        assertEquals("xy", revision.data().get("PROMOTION"));
        assertEquals(4096, revision.data().get("REASON").length());
        assertEquals(4096, revision.revisionComment().length());
    }
}
