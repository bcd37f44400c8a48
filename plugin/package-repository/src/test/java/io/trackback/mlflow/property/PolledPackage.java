package io.trackback.mlflow.property;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import io.trackback.mlflow.GocdMaterial;
import io.trackback.mlflow.GocdReader.Modification;
import io.trackback.mlflow.SimulatedMlflow.Call;
import io.trackback.mlflow.SimulatedMlflow;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** A package material that is polled, also at once and with failures; the oracle checks each answer. */
final class PolledPackage {
    private final SimulatedMlflow mlflow;
    private final GocdMaterial material;
    private final Oracle oracle;

    PolledPackage(SimulatedMlflow mlflow, GocdMaterial material, Oracle oracle) {
        this.mlflow = mlflow;
        this.material = material;
        this.oracle = oracle;
    }

    int known() {
        return material.known();
    }

    /** Whether a revision was reported and stored. */
    boolean poll() {
        Optional<Modification> answer = checked(material.poll());
        answer.ifPresent(this::keep);
        return answer.isPresent();
    }

    /** GoCD ends before it stores the answer. */
    void pollInVain() {
        checked(material.poll());
    }

    void pollWhileFailingAt(Call call) {
        GoPluginApiResponse[] answer = new GoPluginApiResponse[1];
        if (mlflow.whileFailingAt(call, () -> answer[0] = material.poll())) {
            assertRefused(SimulatedMlflow.REFUSAL, answer[0]);
        } else {
            checked(answer[0]).ifPresent(this::keep);
        }
    }

    /** Both polls send the same previous revision, and one of the answers is stored. */
    void pollTwiceAtOnce() {
        GoPluginApiResponse[] answers = new GoPluginApiResponse[2];
        mlflow.whileTwoAsk(() -> {
            CompletableFuture<GoPluginApiResponse> other = CompletableFuture.supplyAsync(material::poll);
            answers[0] = material.poll();
            answers[1] = other.join();
        });
        assertEquals(answers[0].responseCode(), answers[1].responseCode());
        assertEquals(answers[0].responseBody(), answers[1].responseBody());
        checked(answers[0]).ifPresent(this::keep);
    }

    void pollUntilQuiet(int atMost) {
        for (int polls = 0; poll(); polls++) {
            assertTrue(polls < atMost, "quiet after " + atMost + " reports");
        }
    }

    private Optional<Modification> checked(GoPluginApiResponse response) {
        Optional<String> refusal = oracle.refusal();
        if (refusal.isPresent()) {
            assertRefused(refusal.get(), response);
            return Optional.empty();
        }
        Optional<Modification> answer = material.read(response);
        answer.ifPresent(it -> assertEquals(
                (material.known() + 1) + "-" + it.data().get("RUN_ID").substring(0, 8), it.revision()));
        oracle.check(answer);
        return answer;
    }

    private void keep(Modification answer) {
        material.keep(answer);
        oracle.kept(answer);
    }

    private static void assertRefused(String beginning, GoPluginApiResponse response) {
        assertEquals(500, response.responseCode(), response.responseBody());
        assertTrue(response.responseBody().startsWith(beginning), response.responseBody());
    }
}
